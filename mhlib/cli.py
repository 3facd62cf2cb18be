"""The command line: each verb is a few lines over the workbench; heavy libraries load only when something runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mhlib.errors import DisclosureError, ParamsError
from mhlib.workbench.progress import Reporter
from mhlib.workbench.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Find out whether a city's school mental-health programme works.",
)  # fmt: skip

Files = Annotated[list[Path], typer.Argument(help="parameter files, e.g. params/demo/*.yml", show_default=False)]
Report = Annotated[str, typer.Argument(help="set/name, or a path to the report", show_default=False)]
Set = Annotated[list[str] | None, typer.Option("--set", help="key=value laid over every file; may be repeated")]


@app.command()
def simulate(
    scale: Annotated[str, typer.Option(help="city, small, minimal or province")] = "city",
    seed: Annotated[int, typer.Option(help="same seed, same bytes")] = 20260901,
    packs: Annotated[
        str, typer.Option("--with", help="faults to put in, comma-separated: duplicates,moved_pupils,…")
    ] = "",
    force: Annotated[bool, typer.Option(help="make it anew though it is there")] = False,
) -> None:
    """Make a synthetic city; its truth goes to a folder that no analysis can open."""
    from mhlib.data import synthetic

    root = Workspace.here().synthetic_root
    wanted = [name.strip() for name in packs.split(",") if name.strip()]
    reporter = Reporter()
    if not force and synthetic.is_current(root / scale, scale, seed=seed, packs=wanted):
        reporter.say(f"simulate {scale}: nothing to do, this city is there already")
        return
    with reporter.bar(f"simulate {scale}") as advance:
        manifest = synthetic.simulate(
            scale, seed=seed, packs=wanted, destination=root / scale,
            truth_destination=root.parent / "synthetic-truth" / scale, progress=advance,
        )  # fmt: skip
    rows = sum(manifest.tables.values())
    reporter.say(f"simulate {scale}: {len(manifest.tables)} tables, {rows:,} rows")


@app.command()
def check(
    files: Files,
    changes: Set = None,
    data: Annotated[bool, typer.Option(help="also load the data and hold them to their contract")] = True,
) -> None:
    """Validate parameter files, their notebooks and their data; no kernel is started."""
    from mhlib.workbench import plans

    workspace = Workspace.here()
    planned = plans.plan_all(workspace, files, changes=_changes(changes))
    for one in planned:
        if data:
            plans.check_data(workspace, one)
        Reporter().say(f"{one.label}: ready to run")


@app.command()
def run(
    files: Files,
    workers: Annotated[int, typer.Option(min=1, help="notebooks run side by side")] = 1,
    changes: Set = None,
    force: Annotated[bool, typer.Option(help="run though nothing changed")] = False,
    language: Annotated[str | None, typer.Option(help="zh or en; the file's own otherwise")] = None,
    timeout: Annotated[float, typer.Option(help="seconds for each cell of a notebook")] = 900,
    lock_timeout: Annotated[float, typer.Option(help="seconds to wait for another run of the same report")] = 5,
) -> None:
    """Run notebooks and publish their reports; what has not changed is skipped."""
    from mhlib.workbench import plans, runs

    if language not in (None, "zh", "en"):
        raise ParamsError("--language", f"unknown language {language}", allowed="zh or en")
    workspace = Workspace.here()
    planned = plans.plan_all(workspace, files, changes=_changes(changes), language=language)
    todo = [one for one in planned if force or not runs.published(workspace, one)]
    for one in todo:
        plans.check_data(workspace, one)
    with Reporter().runs(len(planned)) as tell:
        records = runs.run_all(workspace, planned, workers=workers, tell=tell, force=force, timeout=timeout,
                               wait=lock_timeout)  # fmt: skip
    worst = max((record["exit_code"] for record in records), default=0)
    if worst:
        raise typer.Exit(worst)


@app.command(name="list")
def list_(
    evaluation: Annotated[str | None, typer.Argument(help="one evaluation, to see its parameters")] = None,
) -> None:
    """List evaluations, parameter files and last runs; or the parameters of one evaluation."""
    from mhlib.workbench import listing

    workspace = Workspace.here()
    Reporter().table(
        *(listing.runs_of(workspace) if evaluation is None else listing.parameters_of(workspace, evaluation))
    )


@app.command()
def index() -> None:
    """Write reports/index.html over all published reports."""
    from mhlib.workbench.index import write_index

    path = write_index(Workspace.here())
    Reporter().say(f"index: {path.relative_to(Workspace.here().root)}")


@app.command()
def review(
    report: Report,
    approve: Annotated[
        bool | None, typer.Option("--approve/--return", help="the decision; without one, what stands is listed")
    ] = None,
    by: Annotated[str, typer.Option(help="who decides: two people, neither of them the author")] = "",
    note: Annotated[str, typer.Option(help="why, in a sentence; name no pupil")] = "",
) -> None:
    """Sign a public report off, or return it; an approval holds for these very bytes only."""
    from mhlib.workbench import review as reviews
    from mhlib.workbench import review_release

    workspace = Workspace.here()
    if approve is not None:
        done = reviews.decide(workspace, report, decision="approve" if approve else "return", by=by, note=note)
        Reporter().say(f"{done.decision} by {done.by}")
        for copy in review_release.copies(workspace, report) if not approve else []:
            Reporter().say(f"a published copy stands: {copy.relative_to(workspace.root)}; take it down if it must go")
    Reporter().table(*reviews.overview(workspace, report))
    Reporter().say(reviews.head_line(workspace, report))


@app.command()
def publish(report: Report) -> None:
    """Copy a public report that two people approved to reports/published/, without its draft mark; the ledger keeps it."""
    from mhlib.workbench import review_release

    workspace = Workspace.here()
    done = review_release.release(workspace, report, scan=review_release.scanner())
    Reporter().say(f"{'published' if done.new else 'published before'}: {done.folder.relative_to(workspace.root)}")
    Reporter().say(f"release ledger: entry {done.ledger}")
    if len({one.account for one in done.approvals}) < len(done.approvals):
        Reporter().say("note: approvals were entered from one account of this machine; the names were taken on trust")


@app.command()
def verify(
    report: Annotated[Path, typer.Argument(help="a run folder, a report's folder or one file", show_default=False)],
    source: Annotated[
        str | None, typer.Option(help="source of the run, e.g. synthetic:city: its identifiers are looked for too")
    ] = None,
    audience: Annotated[str | None, typer.Option(help="policy to hold counts to; the run's own otherwise")] = None,
) -> None:
    """Look for people in what a run published, through every encoding; exit 13 where anything is found."""
    from mhlib.workbench import scanner

    workspace = Workspace.here()
    known = scanner.known_of(workspace, report, source) if source else None
    if known is not None and known.unsearchable:
        Reporter().say(f"note: {known.unsearchable:,} identifiers are too short to be told from any number")
    leaks = scanner.scan(report, known=known, audience=audience)
    for leak in leaks:
        Reporter().say(str(leak))
    Reporter().say(f"verify {report.name}: {len(leaks)} leaks")
    if leaks:
        raise typer.Exit(DisclosureError.exit_code)


@app.command()
def pseudonymise(
    source: Annotated[Path, typer.Argument(metavar="IN", help="a raw extract: CSV (UTF-8 or GB18030), Excel, SPSS, …")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="the extract without names, a .csv")],
    columns: Annotated[
        list[str], typer.Option(help="numbers to replace, the pupil's first: pupil_pid=学号,school_pid=学校")
    ],
    key: Annotated[Path | None, typer.Option(help="file with the key, mode 0600; MHLIB_KEY otherwise")] = None,
    birth: Annotated[str | None, typer.Option(help="birth date; becomes age_band")] = None,
    as_of: Annotated[str, typer.Option(help="YYYY-MM-DD: the day on which age is counted")] = "",
    drop: Annotated[list[str] | None, typer.Option(help="columns to leave out, besides names and addresses")] = None,
    keep: Annotated[list[str] | None, typer.Option(help="columns of text that name nobody")] = None,
    domain: Annotated[str, typer.Option(help="other pseudonyms for another purpose, which cannot be joined")] = "",
    quasi: Annotated[
        list[str] | None, typer.Option(help="what others may know: school,grade,sex; may be repeated")
    ] = None,
    least_k: Annotated[int, typer.Option(min=1, help="refuse to write where a group is smaller")] = 1,
    force: Annotated[bool, typer.Option(help="write over OUT")] = False,
) -> None:
    """Take names, birth dates and numbers out of a raw extract, and say how far it still singles people out."""
    from mhlib.workbench import ingest

    done = ingest.ingest(
        source, target, columns=_listed(columns), key=key, birth=birth, as_of=as_of, drop=_listed(drop),
        keep=_listed(keep), domain=domain, quasi=[_listed([one]) for one in quasi or []], least_k=least_k,
        force=force, table=Reporter().table,
    )  # fmt: skip
    Reporter().say(f"pseudonymise: {target.name} written, {len(done.frame):,} rows, {len(done.frame.columns)} columns")


@app.command()
def anonymity(
    file: Annotated[Path, typer.Argument(help="an extract without names", show_default=False)],
    quasi: Annotated[
        list[str] | None, typer.Option(help="what others may know: school,grade,sex; may be repeated")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="column that says who is who, where a pupil has several rows")
    ] = None,
    min_cell: Annotated[int, typer.Option(min=2, help="fewer people are not told")] = 10,
    least_k: Annotated[int, typer.Option(min=1, help="end with code 13 where a group is smaller")] = 1,
) -> None:
    """Smallest group and share of unique pupils for sets of columns that others may know."""
    from mhlib.data.readers import read_file
    from mhlib.workbench import ingest

    ingest.tell_anonymity(
        read_file(file), [_listed([one]) for one in quasi or []], where=file.name, person=person, min_cell=min_cell,
        least_k=least_k, table=Reporter().table,
    )  # fmt: skip


@app.command()
def doctor() -> None:
    """Look at this machine: versions, fonts, rights, data, disk."""
    from mhlib.workbench.doctor import findings

    found = findings(Workspace.here())
    Reporter().table(("what", "finding", "ok"), [(name, text, "yes" if ok else "no") for name, text, ok in found])
    if not all(ok for _, _, ok in found):
        raise typer.Exit(20)


def _listed(given: list[str] | None) -> list[str]:
    """Repeated and comma-separated names as one list."""
    return [name.strip() for one in given or [] for name in one.split(",") if name.strip()]


def _changes(pairs: list[str] | None) -> dict[str, str]:
    changes = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParamsError("--set", f"{pair} is no key=value", allowed="--set cutoff=11")
        changes[name.strip()] = value
    return changes
