"""Ingest at the bureau: a raw file in, a file without names out, and what it still tells printed before anything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from mhlib.errors import ParamsError
from mhlib.workbench.publish import write_file

if TYPE_CHECKING:
    import pandas as pd

    from mhlib.data.pseudonyms import PseudonymisedResult

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], None]


def ingest(
    source: Path,
    target: Path,
    *,
    columns: Sequence[str],
    table: Table,
    key: Path | None = None,
    birth: str | None = None,
    as_of: str = "",
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    domain: str = "",
    quasi: Sequence[Sequence[str]] = (),
    least_k: int = 1,
    force: bool = False,
) -> PseudonymisedResult:
    """Read `source`, take out what names a person, print what was done, and write `target` (mode 0600), whole or not at all.

    Raises
    ------
    ParamsError
        If the key is weak, open to others or lies with the data; or `target` is there, is `source`, or is no CSV.
    DataError, DisclosureError
        As :func:`mhlib.data.pseudonyms.pseudonymise`; or where a group is smaller than `least_k`. Nothing is written then.
    """
    from mhlib.data.pseudonyms import pseudonymise, read_key
    from mhlib.data.readers import read_file

    _must_be_writable(source, target, force=force)
    if key is not None and key.resolve().is_relative_to(target.resolve().parent):
        raise ParamsError(key.name, "the key lies with the data: who copies one has both",
                          remedy="keep it in a folder of its own, or hand it over in MHLIB_KEY")  # fmt: skip
    secret, day = read_key(key), _day(as_of)
    done = pseudonymise(
        read_file(source), secret, columns=columns, birth=birth, as_of=day, drop=drop, keep=keep, domain=domain,
        where=source.name,
    )  # fmt: skip
    table(("what", "column", "n"), [(str(what), str(name), f"{n:,}") for what, name, n in done.to_frame().to_numpy()])
    person = next(iter(done.columns))
    tell_anonymity(done.frame, quasi, where=target.name, person=person, least_k=least_k, table=table)
    write_file(target, done.frame.to_csv(index=False), mode=0o600)
    return done


def tell_anonymity(
    frame: pd.DataFrame,
    quasi: Sequence[Sequence[str]],
    *,
    where: str,
    table: Table,
    person: str | None = None,
    min_cell: int = 10,
    least_k: int = 1,
) -> None:
    """Print how far an extract singles people out, for the sets named or else for those that its columns suggest.

    Raises
    ------
    DataError, DisclosureError
        If a column is absent; or a group is smaller than `least_k`, or nothing is known to hold `least_k` against.
    """
    from mhlib.data.anonymity import anonymity, lone_columns, usual_sets

    sets = list(quasi) or usual_sets([str(name) for name in frame])
    if not sets and least_k > 1:
        raise ParamsError(
            "--least-k", "no column is known that others may know", remedy="name them: --quasi school,sex"
        )
    result = anonymity(frame, sets, person=person, min_cell=min_cell)
    shown = result.to_frame()
    rows = [[str(cell) for cell in row] for row in shown.to_numpy().tolist()]
    alone = lone_columns(frame, besides=[person] if person else [])
    rows += [[name, "", "", "", "most rows have their own", ""] for name in alone]
    table(
        [str(name) for name in shown] or ["quasi_identifiers", "n_people", "groups", "smallest_k", "unique", "below"],
        rows,
    )
    result.require(least_k, where=where)


def _must_be_writable(source: Path, target: Path, *, force: bool) -> None:
    if target.suffix.lower() != ".csv":
        raise ParamsError(target.name, "only CSV is written", allowed="a name ending in .csv")
    if target.exists() and (target.samefile(source) if source.exists() else False):
        raise ParamsError(target.name, "it is the raw extract itself", remedy="give another name")
    if target.exists() and not force:
        raise ParamsError(target.name, "it is there already", remedy="give another name, or --force")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ParamsError("--as-of", "it is no day", allowed="YYYY-MM-DD") from None
