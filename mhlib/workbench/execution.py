"""One notebook in one kernel: papermill, a private socket, one thread of BLAS, a limit of time, no trust in metadata."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mhlib import errors
from mhlib.errors import MhlibError, WorkbenchError

ELEMENT = "application/vnd.mhlib.element+json"
KERNEL = "mhlib-run"
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class NotebookFailed(MhlibError):
    """A notebook that did not finish: carries the class of the fault, its exit code and what was run of it."""

    def __init__(self, error: MhlibError, kind: str, notebook: object | None, cell: int | None) -> None:
        super().__init__(error.where, error.problem, allowed=error.allowed, remedy=error.remedy)
        self.exit_code, self.kind, self.notebook, self.cell = error.exit_code, kind, notebook, cell


@contextlib.contextmanager
def surroundings(changes: Mapping[str, str | None]) -> Iterator[None]:
    """The process environment with `changes`, which the kernel inherits; a name that is None is not there."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update({name: value for name, value in changes.items() if value is not None})
    for name in (name for name, value in changes.items() if value is None):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def execute(
    notebook: Path, params: Mapping[str, object], *, scratch: Path, environment: Mapping[str, str], timeout: float
) -> object:
    """Run a notebook to its end and return it.

    Parameters
    ----------
    params : mapping
        JSON-like values for the parameters cell.
    scratch : Path
        Folder of this run alone; the kernel works there and sees it as MHLIB_RUN_DIR.
    timeout : float
        Seconds for each cell.

    Raises
    ------
    NotebookFailed
        With exit code 10–13 where the kernel raised one of mhlib's errors, else 20.
    """
    import nbformat
    import papermill

    target = scratch / "executed.ipynb"
    # papermill guesses at the types of parameters and warns of those it cannot read; they were validated before.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    one = {name: "1" for name in ONE_THREAD}
    # No notebook sees the key of the pseudonyms.
    changes = {"MHLIB_RUN_DIR": str(scratch), "PYTHONHASHSEED": "0", "MHLIB_KEY": None, **one, **environment}
    # A socket's path may have 108 characters at most, so it lies in the system's own temporary folder.
    with tempfile.TemporaryDirectory(prefix="mh") as private, surroundings(changes | _own_kernel(Path(private))):
        try:
            # Saved after every cell: of a kernel that dies or hangs papermill would otherwise leave nothing behind.
            finished = papermill.execute_notebook(
                str(notebook), str(target), parameters=dict(params), progress_bar=False, log_output=False,
                kernel_name=KERNEL, language="python", execution_timeout=timeout, start_timeout=120, cwd=str(scratch),
                request_save_on_cell_execute=True, config=_private_sockets(Path(private)),
            )  # fmt: skip
        except Exception as error:
            partial = nbformat.read(target, as_version=4) if target.exists() else None
            raise _failure(error, partial, timeout) from None
    _ran_to_the_end(finished)
    return finished


def _own_kernel(folder: Path) -> dict[str, str]:
    """A kernel of this very Python, found through JUPYTER_PATH alone: whatever `python3` is registered to counts not."""
    spec = folder / "kernels" / KERNEL
    spec.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.joinpath("kernel.json").write_text(
        json.dumps({"argv": command, "display_name": KERNEL, "language": "python"}), encoding="utf-8"
    )
    return {"JUPYTER_PATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("JUPYTER_PATH"))))}


def _private_sockets(folder: Path) -> object:
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc", "ip": str(folder / "k")}})


def _failure(error: Exception, partial: object, timeout: float) -> NotebookFailed:
    """What went wrong, in the house's words: mhlib's own messages stand, any other stays unsaid but for its class."""
    kind = type(error).__name__
    if kind == "PapermillExecutionError":
        return _cell_failure(error, partial)
    if kind == "DeadKernelError":
        fault = WorkbenchError("kernel", "the kernel died", remedy="look for a lack of memory, then run again")
    elif kind == "CellTimeoutError":
        fault = WorkbenchError("kernel", f"a cell ran longer than {timeout:g} seconds", remedy="raise --timeout")
    elif isinstance(error, OSError):
        fault = _disk_error(error)
    else:
        fault = WorkbenchError("papermill", f"the notebook could not be run ({kind})")
    return NotebookFailed(fault, kind, partial, None)


def _cell_failure(error: Exception, partial: object) -> NotebookFailed:
    own = _own_error(error.ename, error.traceback)
    cell = getattr(error, "cell_index", None)
    if own is not None:
        where, _, rest = str(error.evalue).partition(": ")
        return NotebookFailed(own(where, rest), error.ename, partial, cell)
    fault = WorkbenchError(f"cell {cell}", f"raised {error.ename}", remedy="run the notebook in JupyterLab to see it")
    return NotebookFailed(fault, error.ename, partial, cell)


def _own_error(name: str, traceback: object) -> type[MhlibError] | None:
    """Our error class of that name; a library's error of the same name is told apart by how it is rendered."""
    own = getattr(errors, name, None)
    if not "".join(traceback or ()).startswith(errors.MARK):
        return None
    return own if isinstance(own, type) and issubclass(own, MhlibError) else None


def _disk_error(error: OSError) -> WorkbenchError:
    return WorkbenchError("reports", f"cannot be written ({error.strerror})", remedy="free space or mend the rights")


def _ran_to_the_end(notebook: object) -> None:
    """Every code cell has run, in order, without an error: papermill's own word for it is not taken."""
    ended = [output["ename"] for cell in notebook.cells for output in cell.get("outputs", [])
             if output["output_type"] == "error"]  # fmt: skip
    if ended:
        fault = WorkbenchError("notebook", f"a cell ended it ({ended[0]})", remedy="no cell may end the kernel")
        raise NotebookFailed(fault, ended[0], notebook, None)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if counts != list(range(1, len(counts) + 1)):
        done = sum(count is not None for count in counts)
        fault = WorkbenchError("notebook", f"{done} of {len(counts)} cells ran", remedy="no cell may end the kernel")
        raise NotebookFailed(fault, "Unfinished", notebook, None)


def without_raw_outputs(notebook: object) -> object:
    """A half-run notebook that may be kept: gated elements stay, of an error only its class and mhlib's own words."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _kept(output)) is not None]
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    notebook.metadata.pop("papermill", None)
    return notebook


def _kept(output: object) -> object | None:
    if output["output_type"] == "error":
        words = output["evalue"] if _own_error(output["ename"], output["traceback"]) is not None else ""
        output.update(traceback=[], evalue=words)  # in place: the union with a dict would be no NotebookNode
        return output
    return output if ELEMENT in output.get("data", {}) else None
