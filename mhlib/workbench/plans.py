"""What is to be run: every file validated, every key computed, before the first kernel starts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mhlib.errors import MhlibError, ParamsError
from mhlib.params import read_yaml
from mhlib.workbench import keys
from mhlib.workbench.execution import surroundings
from mhlib.workbench.notebooks import parameter_problems
from mhlib.workbench.releases import Release, earlier_releases, ledger_file, related, term_of
from mhlib.workbench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run, validated.

    Attributes
    ----------
    set_name, name : str
        Folder and stem of the parameter file; the report lies in reports/<set>/<name>/.
    params : dict
        Validated parameters, JSON-like.
    required : tuple of str
        Elements without which the run does not count as done.
    base_key : str
        Execution key of the same run where nothing was published before.
    term : str
        What of the evaluation the numbers are about, as the release ledger has it.
    earlier : tuple of Release
        Releases that the gate is to know.
    """

    set_name: str
    name: str
    evaluation: str
    params: dict[str, object]
    language: str
    required: tuple[str, ...]
    notebook: Path
    data_sha256: str
    base_key: str
    term: str
    earlier: tuple[Release, ...]
    execution_key: str
    render_key: str

    @property
    def label(self) -> str:
        """`<set>/<name>`."""
        return f"{self.set_name}/{self.name}"

    @property
    def run_id(self) -> str:
        """Day of the report and the beginning of its key."""
        return f"{self.params['as_of']}-{self.render_key[:12]}"


def plan(
    workspace: Workspace,
    path: Path,
    *,
    changes: Mapping[str, str] | None = None,
    language: str | None = None,
    released: Sequence[Release] | None = None,
) -> Plan:
    """Validate one parameter file with its notebook and source.

    Parameters
    ----------
    released : sequence of Release, optional
        All that was published so far; read from the ledger otherwise.

    Raises
    ------
    ParamsError, DataError, DisclosureError
        Whatever is wrong with the file, the notebook's parameters cell, the source, the disclosure policy, or the release
        ledger.
    """
    from mhlib.data.sources import open_source
    from mhlib.report.policy import policy_of

    given = read_yaml(path)
    module = workspace.analysis(given.get("evaluation"), where=str(path))
    given |= typed_changes(changes or {}, module.Params, where=str(path))
    params = module.Params.from_mapping(given, where=str(path))
    notebook = workspace.notebook(params.evaluation)
    problems = parameter_problems(notebook, list(module.Params.model_fields))
    if problems:
        raise ParamsError.of_many(str(path), problems)
    source = open_source(params.source, data_root=workspace.data_root, synthetic_root=workspace.synthetic_root)
    data_sha256 = source.fingerprint()
    params.is_the_published_file(data_sha256, where=str(path))
    plain = json.loads(params.model_dump_json())
    chosen = language or params.language
    policy = asdict(policy_of(params.disclosure, workspace.root))
    base = keys.execution_key(notebook, Path(module.__file__), plain, data_sha256, policy=policy)
    earlier = _known(earlier_releases(ledger_file(workspace)) if released is None else released, plain, base)
    execution = keys.informed_key(base, [one.content_sha256() for one in earlier])
    return Plan(
        set_name=path.resolve().parent.name, name=path.stem, evaluation=params.evaluation, params=plain, language=chosen,
        required=tuple(module.REQUIRED), notebook=notebook, data_sha256=data_sha256, base_key=base, term=term_of(plain),
        earlier=earlier, execution_key=execution, render_key=keys.render_key(execution, chosen),
    )  # fmt: skip


def _known(released: Sequence[Release], params: Mapping[str, object], base_key: str) -> tuple[Release, ...]:
    """What the gate must know of what was published; of data that everybody has it hides nothing."""
    if params["disclosure"] == "open_data":
        return ()
    return tuple(related(released, evaluation=str(params["evaluation"]), term=term_of(params), base_key=base_key))


def plan_all(
    workspace: Workspace,
    paths: Sequence[Path],
    *,
    changes: Mapping[str, str] | None = None,
    language: str | None = None,
) -> list[Plan]:
    """Plans of all files; if any is bad, nothing runs and every problem of every file is told.

    Raises
    ------
    MhlibError
        Of the class with the highest exit code among the problems; of the policy file or the release ledger at once.
    """
    from mhlib.report.policy import policies

    policies(workspace.root)  # once for all files: each of them would only repeat it
    released = earlier_releases(ledger_file(workspace))
    plans, faults = [], []
    for path in paths:
        try:
            plans.append(plan(workspace, path, changes=changes, language=language, released=released))
        except MhlibError as error:
            faults.append(error)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        worst = max(faults, key=lambda error: error.exit_code)
        raise type(worst).of_many("parameters", [str(error) for error in faults])
    labels = [planned.label for planned in plans]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ParamsError(
            "parameters", f"{', '.join(twice)} is asked for twice", remedy="give one of them another name"
        )
    return plans


def typed_changes(changes: Mapping[str, str], schema: type, *, where: str) -> dict[str, object]:
    """Changes from the command line, read as YAML and then held to the schema; text stays text where text is wanted."""
    import yaml

    typed = {}
    for name, text in changes.items():
        field = schema.model_fields.get(name)
        try:
            typed[name] = text if field is not None and field.annotation is str else yaml.safe_load(text)
        except yaml.YAMLError:
            typed[name] = text  # direction=>= is no YAML; the schema decides whether the text will do
        if name == "as_of":
            typed[name] = text
    return typed


def check_data(workspace: Workspace, planned: Plan) -> None:
    """Load the data in this process, so that a broken contract is told before any kernel starts.

    So is a sensitive scale asked for by place, which the report would refuse.
    """
    from mhlib.report.policy import policy_of_report

    module = workspace.analysis(planned.evaluation, where=planned.label)
    params = module.Params.from_mapping(planned.params, where=planned.label)
    with surroundings(workspace.environment):
        policy_of_report(params, module.load(params))
