"""Where things are: the folder with notebooks/, params/ and reports/, and the analysis behind an evaluation."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from mhlib.errors import ParamsError


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder laid out like this repository.

    Attributes
    ----------
    root : Path
    analyses_package : str
        Package whose modules are the evaluations.
    """

    root: Path
    analyses_package: str = "mhlib.analyses"

    @classmethod
    def here(cls) -> Workspace:
        """The workspace of MHLIB_HOME, or the nearest folder upwards that holds notebooks/ and params/."""
        start = Path(os.environ.get("MHLIB_HOME") or Path.cwd()).resolve()
        for folder in (start, *start.parents):
            if (folder / "notebooks").is_dir() and (folder / "params").is_dir():
                return cls(folder)
        raise ParamsError(
            start.name, "no folder with notebooks/ and params/ here or above", remedy="go there, or set MHLIB_HOME"
        )

    @property
    def reports(self) -> Path:
        """Folder of published reports."""
        return self.root / "reports"

    @property
    def data_root(self) -> Path:
        """Folder below which a file source must lie."""
        return Path(os.environ.get("MHLIB_DATA") or self.root / "data").resolve()

    @property
    def synthetic_root(self) -> Path:
        """Folder of the synthetic cities."""
        return Path(os.environ.get("MHLIB_SYNTHETIC") or self.root / "data" / "synthetic").resolve()

    @property
    def environment(self) -> dict[str, str]:
        """What an analysis needs to find its data: absolute, since a kernel works in a folder of its own."""
        return {"MHLIB_DATA": str(self.data_root), "MHLIB_SYNTHETIC": str(self.synthetic_root),
                "MHLIB_HOME": str(self.root)}  # fmt: skip

    def notebook(self, evaluation: str) -> Path:
        """Notebook of an evaluation."""
        return self.root / "notebooks" / f"{evaluation}.ipynb"

    def evaluations(self) -> list[str]:
        """Every evaluation that has a notebook and a module."""
        own = {"explore"}
        return sorted(path.stem for path in (self.root / "notebooks").glob("*.ipynb") if path.stem not in own)

    def analysis(self, evaluation: object, *, where: str) -> ModuleType:
        """The module of an evaluation; ParamsError with a hint when there is none."""
        known = self.evaluations()
        if evaluation not in known:
            near = difflib.get_close_matches(str(evaluation), known, n=1)
            hint = f"did you mean {near[0]}?" if near else ""
            raise ParamsError(where, f"no evaluation {evaluation}", allowed=", ".join(known), remedy=hint)
        if str(self.root) not in sys.path and self.analyses_package != "mhlib.analyses":
            sys.path.insert(0, str(self.root))
        return importlib.import_module(f"{self.analyses_package}.{evaluation}")
