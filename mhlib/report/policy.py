"""The disclosure policy: how few people each audience may see. Built in, and stricter where the workspace says so.

`params/disclosure.yml` may tighten the numbers of `public` and `closed` and never loosen them; those of published data
(`open_data`) are no matter of choice. Design, section 9: the numbers follow acro, OpenSAFELY and NHS Digital.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import yaml

from mhlib.errors import DisclosureError, ParamsError

FILE = "params/disclosure.yml"


@dataclass(frozen=True, slots=True)
class Policy:
    """What an audience may see.

    Attributes
    ----------
    min_cell : int
        People; smaller counts are hidden.
    round_to : int
        People; counts are rounded to multiples of it.
    min_denominator : int
        People; percentages of fewer are hidden.
    min_sensitive : int
        People; the least cell where the matter is self-harm, suicide or the courts.
    group_share : float
        Proportion of a group in one category from which a sensitive table tells everybody's state.
    width : int
        People; least width of what a reader may know of a hidden cell, for the audit. None means `min_cell`.
    """

    audience: str
    min_cell: int
    round_to: int
    min_denominator: int
    min_sensitive: int = 20
    group_share: float = 0.9
    width: int | None = None

    def __post_init__(self) -> None:
        if self.width is None:
            object.__setattr__(self, "width", self.min_cell)

    @property
    def sensitive(self) -> bool:
        """Whether cells are as large as for self-harm, suicide and the courts, so that `group_share` holds too."""
        return 0 < self.min_sensitive <= self.min_cell

    def for_sensitive(self) -> Policy:
        """The policy with the least cell of sensitive matters; a least cell that is larger already stands."""
        least = max(self.min_cell, self.min_sensitive)
        return replace(self, min_cell=least, width=max(self.width, least))


# Published data hide nothing, whatever they are about: everybody has the file.
BUILT_IN = {
    "public": Policy("public", 10, 5, 30),
    "closed": Policy("closed", 8, 5, 30),
    "open_data": Policy("open_data", 0, 1, 1, min_sensitive=0, group_share=1.0),
}
CONFIGURABLE = ("public", "closed")
NUMBERS = tuple(field.name for field in fields(Policy) if field.name != "audience")
# First words of the columns that say where somebody is; what a source calls `group` may be a place too.
PLACES = ("school", "class", "area", "town", "group")


def policies(home: Path | None = None) -> dict[str, Policy]:
    """The policies in force, by audience.

    Parameters
    ----------
    home : Path, optional
        Root of the workspace; else the one of MHLIB_HOME, or the nearest upwards from here.

    Raises
    ------
    ParamsError
        If the file cannot be read, or holds an unknown key, a wrong type or a laxer number; it names every such key.
    """
    given = _file_at(_home() if home is None else home)
    unknown = [str(name) for name in given if name not in CONFIGURABLE]
    problems = [f"unknown key {name}; allowed: {', '.join(CONFIGURABLE)}" for name in unknown]
    problems += [problem for name in CONFIGURABLE if name in given for problem in _problems(name, given[name])]
    if problems:
        raise ParamsError.of_many(FILE, problems, remedy="numbers may be stricter than those built in, never laxer")
    return BUILT_IN | {name: _tightened(name, given[name]) for name in CONFIGURABLE if name in given}


def policy_of(audience: str, home: Path | None = None) -> Policy:
    """The policy of one audience; DisclosureError where there is no such audience."""
    if audience not in BUILT_IN:
        raise DisclosureError("disclosure", f"unknown audience {audience}", allowed=", ".join(BUILT_IN))
    return policies(home)[audience]


def policy_of_report(params: object, data: object) -> Policy:
    """The policy of one report: larger cells, and the whole city alone, where its scale is about self-harm or suicide.

    Parameters
    ----------
    params : object
        With `disclosure`, and `groups` where the evaluation has any.
    data : object
        With `scale`, a codebook or None, where the evaluation has one.

    Raises
    ------
    ParamsError
        If a sensitive report is asked for by school, class or area.
    """
    policy = policy_of(params.disclosure)
    if not getattr(getattr(data, "scale", None), "sensitive", False):
        return policy
    places = [name for name in getattr(params, "groups", ()) if name.split("_")[0] in PLACES]
    if places:
        raise ParamsError("groups", f"{', '.join(places)} may tell a place, and this scale is about self-harm or suicide",
                          allowed="groups of the whole city, such as sex or level", remedy="leave it out")  # fmt: skip
    return policy.for_sensitive()


def origin(home: Path | None = None) -> str:
    """Where the numbers in force come from, for the doctor."""
    home = _home() if home is None else home
    return FILE if home is not None and os.path.lexists(home / FILE) else "built in"


def _home() -> Path | None:
    """The workspace, found as the workbench finds it, so that kernel, JupyterLab and runner read one file."""
    start = Path(os.environ.get("MHLIB_HOME") or Path.cwd()).resolve()
    whole = (folder for folder in (start, *start.parents) if _is_workspace(folder))
    return next(whole, None)


def _is_workspace(folder: Path) -> bool:
    return (folder / "notebooks").is_dir() and (folder / "params").is_dir()


def _file_at(home: Path | None) -> Mapping[object, object]:
    """What the file says; nothing where there is none. A link that leads nowhere is no absent file."""
    if home is None:
        return {}
    path = home / FILE
    try:
        given = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_symlink():
            return {}
        raise ParamsError(FILE, f"cannot be read ({error.strerror})", remedy="mend or remove it") from None
    except UnicodeDecodeError:
        raise ParamsError(FILE, "not UTF-8", remedy="save it as UTF-8") from None
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or "unreadable"
        raise ParamsError(FILE, f"not valid YAML: {problem}", remedy="mend or remove it") from None
    if not isinstance(given, dict):
        raise ParamsError(FILE, "no audience is named", allowed=", ".join(CONFIGURABLE), remedy="remove an empty file")
    return given


def _problems(audience: str, given: object) -> list[str]:
    """What is wrong with one audience's numbers, each with its key."""
    if not isinstance(given, dict):
        return [f"{audience} must hold keys and values: {', '.join(NUMBERS)}"]
    unknown = [str(name) for name in given if name not in NUMBERS]
    found = [f"unknown key {audience}.{name}; allowed: {', '.join(NUMBERS)}" for name in unknown]
    allowed = {name: _allowed(name, given[name], BUILT_IN[audience]) for name in NUMBERS if name in given}
    found += [f"{audience}.{name} must be {text}" for name, text in allowed.items() if text]
    return found or _misprints(_tightened(audience, given))


def _allowed(name: str, value: object, built_in: Policy) -> str:
    """What would have been accepted; empty where the value is."""
    least = getattr(built_in, name)
    if name == "group_share":
        return "" if type(value) in (int, float) and 0 < value <= least else f"a number above 0 and at most {least}"
    if name == "width" and value is None:
        return ""
    whole = type(value) is int and value >= least
    if name == "round_to":
        return "" if whole and value % built_in.round_to == 0 else f"a multiple of {built_in.round_to}"
    return "" if whole else f"a whole number of {least} or more"


def _misprints(policy: Policy) -> list[str]:
    """Least cells that rounding would print as a number below themselves, which the ledger takes for ungated."""
    found, step = [], policy.round_to
    for name in ("min_cell", "min_sensitive"):
        least = getattr(policy, name)
        past = least % step
        if 0 < 2 * past < step:
            found.append(f"{policy.audience}.{name} {least} would be printed as {least - past} when rounded to {step}; "
                         f"take {least - past + (step + 1) // 2}")  # fmt: skip
    return found


def _tightened(audience: str, given: Mapping[object, object]) -> Policy:
    """The built-in policy with the file's numbers; the width follows the least cell unless it is given."""
    return replace(BUILT_IN[audience], **({"width": None} | dict(given)))


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice, and for which 010 is no number: in YAML 1.1 it would be 8."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.MarkedYAMLError(problem=f"key {', '.join(twice)} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


WHOLE = "tag:yaml.org,2002:int"
_PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != WHOLE]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainLoader.add_implicit_resolver(WHOLE, re.compile(r"^(?:0|[1-9][0-9]*)$"), list("0123456789"))
