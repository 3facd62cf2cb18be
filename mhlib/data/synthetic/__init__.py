"""A synthetic city with a planted truth, so that every evaluation can be scored against what it should have found.

The tables go to one folder, the truth to another that no analysis can open.
"""

from __future__ import annotations

import difflib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mhlib.data.synthetic.pack_names import PACKS
from mhlib.errors import ParamsError

__all__ = ["GENERATOR_VERSION", "PACKS", "SCALES", "Manifest", "is_current", "simulate"]

GENERATOR_VERSION = 3
SEED = 20260901
# Schools and pupils at a time; `province` is 77 prefectures of one wave, `minimal` two files of a county.
SCALES = {"city": (129, 130_000), "small": (6, 3_000), "province": (129, 130_000), "minimal": (12, 9_000)}
PREFECTURES = 77


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was made: nothing here depends on the clock or the machine."""

    scale: str
    seed: int
    packs: tuple[str, ...]
    tables: dict[str, int]
    generator_version: int = GENERATOR_VERSION
    notice: str = "模拟数据，不代表任何真实地区"


def is_current(folder: Path, scale: str, *, seed: int = SEED, packs: Sequence[str] = ()) -> bool:
    """Whether `folder` already holds this very city."""
    path = folder / "manifest.json"
    if not path.is_file():
        return False
    there = json.loads(path.read_text(encoding="utf-8"))
    wanted = (scale, seed, sorted(packs), GENERATOR_VERSION)
    return (there["scale"], there["seed"], sorted(there["packs"]), there["generator_version"]) == wanted


def simulate(
    scale: str,
    *,
    seed: int = SEED,
    packs: Sequence[str] = (),
    destination: Path,
    truth_destination: Path,
    progress: Callable[[str, float], None] | None = None,
    prefectures: int = PREFECTURES,
) -> Manifest:
    """Make a city and write it, all or nothing.

    Parameters
    ----------
    scale : {"city", "small", "province", "minimal"}
    seed : int
        The same seed gives the same bytes.
    packs : sequence of str
        Faults to put in; see `PACKS`.
    destination, truth_destination : Path
        Folders of the tables and of the truth; replaced when they exist.
    progress : callable, optional
        Called with a step's name and the share done.

    Returns
    -------
    Manifest

    Raises
    ------
    ParamsError
        If the scale or a pack is unknown, or the truth would lie within the city's folder.
    """
    _known("scale", [scale], SCALES)
    _known("pack", packs, PACKS)
    if Path(truth_destination).resolve().is_relative_to(Path(destination).resolve()):
        raise ParamsError("simulate", "the truth would lie within the city", remedy="choose a folder beside it")
    folders = [_scratch(destination), _scratch(truth_destination)]
    try:
        tables = _write(scale, seed, frozenset(packs), *folders, progress or (lambda step, share: None), prefectures)
        manifest = Manifest(scale=scale, seed=seed, packs=tuple(sorted(packs)), tables=tables)
        text = json.dumps(asdict(manifest), ensure_ascii=False, indent=1, sort_keys=True)
        (folders[0] / "manifest.json").write_text(text + "\n", encoding="utf-8")
        # The truth first: a city without its truth could not be told from a whole one.
        for scratch, final in zip(reversed(folders), (truth_destination, destination), strict=True):
            _replace(scratch, Path(final))
    finally:
        for scratch in folders:
            shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _known(what: str, names: Sequence[str], allowed: dict) -> None:
    for name in names:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, n=1)
            remedy = f"did you mean {near[0]}?" if near else ""
            raise ParamsError("simulate", f"unknown {what} {name}", allowed=", ".join(allowed), remedy=remedy)


def _scratch(final: Path) -> Path:
    scratch = Path(final).with_name(f".{Path(final).name}.making")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.parent.mkdir(parents=True, exist_ok=True)
    return scratch


def _replace(scratch: Path, final: Path) -> None:
    """Put `scratch` in the place of `final`: two renames, so that a reader meets the old city or the new one."""
    if not scratch.exists():
        return
    old = final.with_name(f".{final.name}.replaced")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    scratch.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _write(scale, seed, packs, folder, truth_folder, progress, prefectures) -> dict[str, int]:
    if scale == "minimal":
        from mhlib.data.synthetic.minimal import write_minimal

        return write_minimal(seed, folder, truth_folder)
    from mhlib.data.synthetic.write import write_city, write_province

    if scale == "province":
        return write_province(seed, *SCALES[scale], prefectures, folder, progress)
    return write_city(seed, *SCALES[scale], packs, folder, truth_folder, progress)
