"""Parameters are strict, and refused as a whole with every problem named."""

from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from mhlib.errors import DisclosureError, ParamsError
from mhlib.params import BaseParams, read_yaml

GOOD = {"evaluation": "x", "source": "a.csv", "as_of": "2026-03-20", "seed": 1}
COMMON = ["evaluation", "source", "as_of", "language", "columns", "values", "disclosure", "licence", "sha256",
          "conf_level", "seed"]  # fmt: skip


class Params(BaseParams):
    cutoff: int = Field(description="positive from here on", json_schema_extra={"unit": "points"})


def parsed(**changes: object) -> Params:
    return Params.from_mapping(GOOD | {"cutoff": 10} | changes, where="here")


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        path = tmp_path / "x.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_common_keys_stand_first_and_in_their_order():
    assert list(BaseParams.model_fields) == COMMON
    assert list(Params.model_fields) == [*COMMON, "cutoff"]


def test_a_good_file(file):
    params = Params.from_file(file(yaml.safe_dump(GOOD | {"cutoff": 10, "values": {"sex": {"女": 1}}})))
    assert (params.as_of, params.language, params.conf_level) == (date(2026, 3, 20), "zh", 0.95)
    assert params.values == {"sex": {"女": 1}}


def test_an_unquoted_day_is_a_day_too(file):
    text = "evaluation: x\nsource: a.csv\nas_of: 2026-03-20\nseed: 1\ncutoff: 10\n"
    assert Params.from_file(file(text)).as_of == date(2026, 3, 20)


def test_parameters_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        parsed().seed = 2


def test_a_notebook_gives_its_names_and_no_others():
    namespace = GOOD | {"cutoff": 10, "__name__": "__main__", "In": [], "get_ipython": print}
    assert Params.from_notebook(namespace) == parsed()
    with pytest.raises(ParamsError, match="parameters cell: seed is missing"):
        Params.from_notebook({name: value for name, value in namespace.items() if name != "seed"})


def test_every_problem_is_told_at_once():
    with pytest.raises(ParamsError) as caught:
        parsed(cutof=1, cutoff="10", language="de", seed=None)
    text = str(caught.value)
    assert caught.value.exit_code == 10
    assert text.startswith("here: 4 problems")
    assert "unknown key cutof; did you mean cutoff?" in text
    assert "cutoff must be a valid integer (positive from here on, points)" in text
    assert "language must be 'zh' or 'en'" in text


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", "7"), ("seed", 7.0), ("seed", True), ("seed", -1), ("conf_level", "0.95"), ("conf_level", 95),
     ("as_of", "20260320"), ("as_of", "2026-W12-5"), ("as_of", "2026-02-30"), ("as_of", 20260320), ("columns", []),
     ("columns", {"sex": 1}), ("values", {"sex": 1}), ("disclosure", "none"), ("source", None)],
)  # fmt: skip
def test_nothing_is_bent_into_shape(key, value):
    with pytest.raises(ParamsError, match=f"{key}.* must be"):
        parsed(**{key: value})


@given(st.text(min_size=1, max_size=12).filter(lambda name: name not in Params.model_fields))
def test_no_unknown_key_passes(name):
    with pytest.raises(ParamsError, match="unknown key"):
        parsed(**{name: 1})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "open_data without licence and sha256"),
        ({"licence": "CC BY 4.0"}, "open_data without sha256"),
        ({"licence": "CC BY 4.0", "sha256": "0" * 64, "source": "synthetic:city"}, "published files only"),
        ({"licence": "CC BY 4.0", "sha256": "0" * 64, "source": "postgres://city/db"}, "published files only"),
        ({"licence": "CC BY 4.0", "sha256": "0" * 64, "columns": {"school_pid": "School"}}, "a source of pupils"),
    ],
)
def test_open_data_must_prove_itself(changes, text):
    with pytest.raises(DisclosureError, match=text) as caught:
        parsed(disclosure="open_data", **changes)
    assert caught.value.exit_code == 13


def test_open_data_is_the_file_that_was_published():
    params = parsed(disclosure="open_data", licence="CC BY 4.0", sha256="A" * 64)
    params.is_the_published_file("a" * 64, where="a.csv")
    with pytest.raises(DisclosureError, match="not the published file"):
        params.is_the_published_file("b" * 64, where="a.csv")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a\n- b\n", "not a list of keys and values"),
        ("seed: 1\nseed: 2\n", "key seed is given twice"),
        ("a: [1\n", "not valid YAML at line"),
        ("", "not a list of keys and values"),
        ("a: !!python/object:os.system {}\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_flat_yaml(file, text, problem):
    with pytest.raises(ParamsError, match=problem):
        read_yaml(file(text))


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ParamsError, match="no such file"):
        read_yaml(tmp_path / "x.yml")
    with pytest.raises(ParamsError, match="cannot be read"):
        read_yaml(tmp_path)
    tmp_path.joinpath("gbk.yml").write_bytes("licence: 上海心理".encode("gbk"))
    with pytest.raises(ParamsError, match="not UTF-8"):
        read_yaml(tmp_path / "gbk.yml")
