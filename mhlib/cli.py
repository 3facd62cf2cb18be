"""The command line: each verb is a few lines over the workbench; heavy libraries load only when something runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mhlib.errors import ParamsError
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


@app.command()
def publish(report: Report) -> None:
    """Copy a public report that two people approved to reports/published/, without its draft mark."""
    from mhlib.workbench import review_release

    workspace = Workspace.here()
    done = review_release.release(workspace, report, scan=review_release.scanner())
    Reporter().say(f"{'published' if done.new else 'published before'}: {done.folder.relative_to(workspace.root)}")
    if len({one.account for one in done.approvals}) < len(done.approvals):
        Reporter().say("note: approvals were entered from one account of this machine; the names were taken on trust")


@app.command()
def doctor() -> None:
    """Look at this machine: versions, fonts, rights, data, disk."""
    from mhlib.workbench.doctor import findings

    found = findings(Workspace.here())
    Reporter().table(("what", "finding", "ok"), [(name, text, "yes" if ok else "no") for name, text, ok in found])
    if not all(ok for _, _, ok in found):
        raise typer.Exit(20)


def _changes(pairs: list[str] | None) -> dict[str, str]:
    changes = {}
    for pair in pairs or []:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ParamsError("--set", f"{pair} is no key=value", allowed="--set cutoff=11")
        changes[name.strip()] = value
    return changes
