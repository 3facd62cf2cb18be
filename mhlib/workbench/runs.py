"""Running plans: skip what stands, execute, look at the outcome, render, publish; tell what happened."""

from __future__ import annotations

import json
import os
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from mhlib.errors import MhlibError, WorkbenchError
from mhlib.workbench import keys
from mhlib.workbench.execution import NotebookFailed, without_raw_outputs
from mhlib.workbench.plans import Plan
from mhlib.workbench.protection import safely_executed
from mhlib.workbench.publish import lock, move_into_place, write_file, write_json
from mhlib.workbench.releases import access_file, record_access
from mhlib.workbench.review import author_of
from mhlib.workbench.workspace import Workspace

Tell = Callable[[dict[str, object]], None]


def published(workspace: Workspace, planned: Plan) -> bool:
    """Whether this very report stands published and is the latest of its language."""
    folder = workspace.reports / planned.set_name / planned.name
    page = folder / planned.run_id / f"report.{planned.language}.html"
    latest = folder / f"latest.{planned.language}.html"
    record = folder / planned.run_id / "run.json"
    if (folder / "failed").exists() or not (page.is_file() and latest.is_file() and record.is_file()):
        return False  # a failure since then is cleared by publishing again, from the store
    return page.read_bytes() == latest.read_bytes() and json.loads(record.read_text("utf-8"))["exit_code"] == 0


def run(
    workspace: Workspace, planned: Plan, *, tell: Tell, force: bool = False, timeout: float = 900, wait: float = 5
) -> dict[str, object]:
    """Run one plan and return its record; a failure is recorded, never raised, and touches no earlier report."""
    start, folder = time.time(), workspace.reports / planned.set_name / planned.name
    stages: dict[str, float] = {}
    try:
        with lock(folder, wait=wait):
            if not force and published(workspace, planned):
                tell({"run": planned.label, "event": "skipped", "run_id": planned.run_id})
                return _record(planned, start, stages, 0) | {"skipped": True}
            return _run_locked(workspace, planned, folder, tell=tell, force=force, timeout=timeout, stages=stages,
                               start=start)  # fmt: skip
    except MhlibError as error:
        tell({"run": planned.label, "event": "failed", "exit_code": error.exit_code, "error": str(error)})
        return _record(planned, start, stages, error.exit_code, error)


def _in_the_house_form(error: Exception, label: str) -> MhlibError:
    """A fault of ours is told by class and place alone: its text may hold a pupil's value."""
    if isinstance(error, MhlibError):
        return error
    if isinstance(error, OSError):
        return WorkbenchError("reports", f"cannot be written ({error.strerror})",
                              remedy="free space or mend the rights; the former report stands")  # fmt: skip
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name} line {last.lineno}"
    return WorkbenchError(label, f"a fault in mhlib ({type(error).__name__} in {place})", remedy="report it")


def _run_locked(workspace, planned, folder, *, tell, force, timeout, stages, start) -> dict[str, object]:
    scratch = workspace.reports / ".scratch" / f"{planned.set_name}-{planned.name}-{planned.run_id}"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        store = _executed(workspace, planned, scratch, tell=tell, force=force, timeout=timeout, stages=stages)
        tell({"run": planned.label, "event": "rendering"})
        began = time.time()
        record = _render(planned, store, scratch / "page", stages, start)
        stages["render"] = round(time.time() - began, 3)
        record |= {"stages": dict(stages), "seconds": round(time.time() - start, 3)}
        write_json(scratch / "page" / "run.json", record)
        move_into_place(scratch / "page", folder / planned.run_id)
        page = (folder / planned.run_id / f"report.{planned.language}.html").read_bytes()
        for name in (planned.language, *([""] if planned.language == planned.params["language"] else [])):
            write_file(folder / ("latest.html" if not name else f"latest.{name}.html"), page)
        shutil.rmtree(folder / "failed", ignore_errors=True)
    except Exception as error:
        fault = _in_the_house_form(error, planned.label)
        _keep_failure(planned, folder, fault, _record(planned, start, stages, fault.exit_code, fault), tell)
        raise fault from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    tell({"run": planned.label, "event": "published", "run_id": planned.run_id, "seconds": record["seconds"]})
    return record


def _executed(workspace, planned, scratch, *, tell, force, timeout, stages) -> Path:
    """The folder of the store with the executed notebook of this key, made now unless it is there."""
    import nbformat

    store = workspace.reports / ".store" / planned.execution_key
    if not force and (store / "executed.ipynb").is_file():
        tell({"run": planned.label, "event": "executed before"})
        return store
    tell({"run": planned.label, "event": "executing"})
    began = time.time()
    made = scratch / "store"
    notebook, elements = safely_executed(workspace, planned, made, tell=tell, timeout=timeout, done=_noted)
    names = {element["name"] for element in elements}
    absent = [name for name in planned.required if name not in names]
    if absent:
        raise NotebookFailed(WorkbenchError(planned.label, f"the report lacks {', '.join(absent)}"), "Incomplete",
                             notebook, None)  # fmt: skip
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
    nbformat.write(notebook, made / "executed.ipynb")
    stages["execute"] = round(time.time() - began, 3)
    store.parent.mkdir(parents=True, exist_ok=True)
    move_into_place(made, store)
    return store


def _noted(workspace: Workspace, planned: Plan, rows: dict[str, int], code: int) -> None:
    """Who read the data for what, in the access log: only an execution reads them, whether it came to an end or not."""
    record_access(
        access_file(workspace), evaluation=planned.evaluation, params_file=f"{planned.set_name}/{planned.name}.yml",
        purpose=os.environ.get("MHLIB_PURPOSE", ""), rows=rows, run_id=planned.run_id, exit_code=code, user=author_of(),
    )  # fmt: skip


def _render(planned: Plan, store: Path, page: Path, stages: dict[str, float], start: float) -> dict[str, object]:
    import nbformat

    from mhlib.report import export

    notebook = nbformat.read(store / "executed.ipynb", as_version=4)
    provenance = {
        "data_sha256": planned.data_sha256, "execution_key": planned.execution_key, "render_key": planned.render_key,
        "versions": keys.versions(), "params": planned.params,
    }  # fmt: skip
    shutil.copytree(store, page)
    page.joinpath("tables").mkdir(exist_ok=True)
    html = export.to_html(notebook, language=planned.language, provenance=provenance)
    page.joinpath(f"report.{planned.language}.html").write_text(html, encoding="utf-8")
    for name, text in export.csv_files(notebook, language=planned.language).items():
        page.joinpath("tables", name).write_text(text, encoding="utf-8-sig")
    elements = export.elements(notebook)
    record = _record(planned, start, stages, 0)
    record["refusals"] = [
        {"name": element["name"], "code": element.get("code")} for element in elements if element["kind"] == "refusal"
    ]
    record["estimates"] = {element["name"]: element["frame"] for element in elements if element.get("frame")}
    record["rows"] = next((element["rows"] for element in elements if "rows" in element), None)
    record["html_sha256"] = keys.hashlib.sha256(html.encode()).hexdigest()
    return record


def _record(
    planned: Plan, start: float, stages: dict[str, float], code: int, error: MhlibError | None = None
) -> dict[str, object]:
    return {
        "set": planned.set_name, "name": planned.name, "evaluation": planned.evaluation, "run_id": planned.run_id,
        "as_of": planned.params["as_of"], "language": planned.language, "source": planned.params["source"],
        "author": author_of(), "exit_code": code, "error": None if error is None else str(error),
        "error_class": None if error is None else getattr(error, "kind", type(error).__name__),
        "execution_key": planned.execution_key, "render_key": planned.render_key, "data_sha256": planned.data_sha256,
        "base_key": planned.base_key, "term": planned.term,
        "params": planned.params, "versions": keys.versions(), "started": round(start, 3),
        "seconds": round(time.time() - start, 3), "stages": dict(stages),
    }  # fmt: skip


def _keep_failure(planned: Plan, folder: Path, error: MhlibError, record: dict[str, object], tell: Tell) -> None:
    """Beside the former report, which stands: the record, and the half-run notebook without ungated outputs."""
    import nbformat

    failed = folder / "failed"
    partial = getattr(error, "notebook", None)
    try:
        failed.mkdir(parents=True, exist_ok=True)
        write_json(failed / "run.json", record)
        if partial is not None:
            write_file(failed / "half-run.ipynb", nbformat.writes(without_raw_outputs(partial)))
    except (OSError, MhlibError) as second:
        # On a full disk the first error is the one to tell; that it could not be kept is told beside it.
        tell({"run": planned.label, "event": "failure not kept", "error": type(second).__name__})


def run_all(
    workspace: Workspace,
    plans: Sequence[Plan],
    *,
    workers: int,
    tell: Tell,
    force: bool = False,
    timeout: float = 900,
    wait: float = 5,
) -> list[dict[str, object]]:
    """Run plans side by side, each in a process of its own; one that fails does not stop the others."""
    todo = [planned for planned in plans if force or not published(workspace, planned)]
    for planned in plans:
        if planned not in todo:
            tell({"run": planned.label, "event": "skipped", "run_id": planned.run_id})
    if not todo:
        return []
    options = {"force": force, "timeout": timeout, "wait": wait}
    if workers == 1 or len(todo) == 1:
        return [run(workspace, planned, tell=tell, **options) for planned in todo]
    return _side_by_side(workspace, todo, workers, tell, options)


def _side_by_side(workspace, todo, workers, tell, options) -> list[dict[str, object]]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from threading import Thread

    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        queue = manager.Queue()
        teller = Thread(target=lambda: [tell(event) for event in iter(queue.get, None)], daemon=True)
        teller.start()
        records = []
        with ProcessPoolExecutor(min(workers, len(todo)), mp_context=context) as pool:
            waiting = {pool.submit(run, workspace, planned, tell=queue.put, **options): planned for planned in todo}
            for done in as_completed(waiting):
                try:
                    records.append(done.result())
                except Exception as error:
                    planned = waiting[done]
                    fault = WorkbenchError(planned.label, f"the worker ended ({type(error).__name__})")
                    tell({"run": planned.label, "event": "failed", "exit_code": 20, "error": str(fault)})
                    records.append(_record(planned, time.time(), {}, fault.exit_code, fault))
        queue.put(None)
        teller.join()
    return records
