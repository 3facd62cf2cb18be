"""Parameters of a run: strict, typed, and refused as a whole with every problem named at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mhlib.errors import DisclosureError, ParamsError


def _iso_date(value: object) -> object:
    """Accept a day written year-month-day in quotes; anything else is left to be refused."""
    if isinstance(value, str):
        try:
            # fromisoformat alone also takes 20260320 and 2026-W12-5, which the next reader would not.
            return date.fromisoformat(value if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else "")
        except ValueError:
            raise ValueError("must be a day written year-month-day, in quotes") from None
    return value


class BaseParams(BaseModel):
    """The keys that every evaluation shares; an evaluation's own follow them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    evaluation: str = Field(description="name of the evaluation")
    source: str = Field(description="where the rows come from")
    as_of: Annotated[date, BeforeValidator(_iso_date)] = Field(description="day for which the report speaks")
    language: Literal["zh", "en"] = Field("zh", description="language of the report")
    columns: dict[str, str] = Field({}, description="contract name: the source's name")
    values: dict[str, dict[str, bool | int | float | str]] = Field(
        {}, description="contract column: {text in the source: value}"
    )
    disclosure: Literal["public", "closed", "open_data"] = Field("public", description="who will read the report")
    licence: str = Field("", description="open_data only: licence and citation of the published file")
    sha256: str = Field("", description="open_data only: checksum of the published file")
    conf_level: float = Field(0.95, gt=0.5, lt=1, description="coverage of every interval",
                              json_schema_extra={"unit": "proportion"})  # fmt: skip
    seed: int = Field(description="of every random draw", ge=0)

    @classmethod
    def from_mapping(cls, given: Mapping[str, object], *, where: str) -> Self:
        """Validated parameters.

        Raises
        ------
        ParamsError
            With every unknown, missing or wrong key of `given`.
        DisclosureError
            If open_data is asked for without licence and checksum, or for anything but a file.
        """
        problems = [_unknown(name, list(cls.model_fields)) for name in given if name not in cls.model_fields]
        try:
            params = cls.model_validate({name: value for name, value in given.items() if name in cls.model_fields})
        except ValidationError as error:
            problems += [_in_words(entry, cls) for entry in error.errors(include_url=False)]
        if problems:
            raise ParamsError.of_many(where, problems)
        params.open_to_all(where)
        return params

    @classmethod
    def from_file(cls, path: Path | str, *, changes: Mapping[str, object] | None = None) -> Self:
        """Parameters of a YAML file, with `changes` laid over it."""
        return cls.from_mapping(read_yaml(path) | dict(changes or {}), where=str(path))

    @classmethod
    def from_notebook(cls, namespace: Mapping[str, object]) -> Self:
        """Parameters from a notebook's names, as papermill left them."""
        given = {name: namespace[name] for name in cls.model_fields if name in namespace}
        return cls.from_mapping(given, where="parameters cell")

    def open_to_all(self, where: str) -> None:
        """DisclosureError when exact counts are asked for without the proof that the data are published."""
        if self.disclosure != "open_data":
            return
        if self.source.startswith("synthetic:") or "://" in self.source or self.source.startswith("duckdb:"):
            raise DisclosureError(where, "open_data is for published files only", allowed="public or closed")
        lacking = [name for name in ("licence", "sha256") if not getattr(self, name).strip()]
        if lacking:
            raise DisclosureError(
                where,
                f"open_data without {' and '.join(lacking)}",
                allowed="a published file with its licence and checksum",
                remedy="name them, or use disclosure: public",
            )
        registers = sorted({"school_pid", "class_pid", "household_pid"} & set(self.columns))
        if registers:
            raise DisclosureError(where, f"open_data with {', '.join(registers)}: a source of pupils",
                                  allowed="public or closed")  # fmt: skip

    def is_the_published_file(self, sha256: str, *, where: str) -> None:
        """DisclosureError unless the source under open_data is the very file that was published."""
        if self.disclosure == "open_data" and sha256 != self.sha256.strip().lower():
            raise DisclosureError(where, "the source is not the published file that sha256 names",
                                  allowed="the file with that checksum", remedy="use disclosure: public")  # fmt: skip


def agreeing(alpha: float, conf_level: float | None) -> float:
    """`alpha`, where it is the size of the test that an interval of `conf_level` makes: one excludes nought when the other does.

    Raises
    ------
    ValueError
        If they differ: a verdict by one could contradict the other.
    """
    if conf_level is not None and abs(alpha - (1 - conf_level)) > 1e-9:
        raise ValueError(f"must be {1 - conf_level:.6g}, which is 1 - conf_level, so that the test and the intervals agree; "
                         f"for alpha {alpha:g} state conf_level {1 - alpha:.6g}")  # fmt: skip
    return alpha


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"unknown key {name}" + (f"; did you mean {near[0]}?" if near else f"; allowed: {', '.join(known)}")


def _in_words(entry: Mapping[str, object], model: type[BaseModel]) -> str:
    """One of pydantic's findings in the house's form; the value stays unsaid where it may be a name of a column."""
    path = ".".join(str(part) for part in entry["loc"])
    field = model.model_fields.get(str(entry["loc"][0]))
    unit = (field.json_schema_extra or {}).get("unit", "") if field is not None else ""
    meaning = f" ({field.description}{', ' + unit if unit else ''})" if field is not None else ""
    if entry["type"] == "missing":
        return f"{path} is missing{meaning}"
    what = str(entry["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{path} must be {what.removeprefix('must be ')}{meaning}"


def read_yaml(path: Path | str) -> dict[str, object]:
    """A flat mapping from a YAML file.

    Raises
    ------
    ParamsError
        If the file is not there, is not YAML, holds a key twice, or is no mapping.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        given = yaml.load(text, Loader=_StrictLoader)
    except FileNotFoundError:
        raise ParamsError(str(path), "no such file") from None
    except OSError as error:
        raise ParamsError(str(path), f"cannot be read ({error.strerror})", allowed="a YAML file") from None
    except UnicodeDecodeError:
        raise ParamsError(str(path), "not UTF-8", remedy="save it as UTF-8") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = f" at line {line + 1}" if line is not None else ""
        raise ParamsError(str(path), f"not valid YAML{at}: {getattr(error, 'problem', '') or 'unreadable'}") from None
    if not isinstance(given, dict):
        raise ParamsError(str(path), "not a list of keys and values", allowed="one key: value a line")
    return given


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice and leaves dates as text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.MarkedYAMLError(problem=f"key {', '.join(twice)} is given twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
