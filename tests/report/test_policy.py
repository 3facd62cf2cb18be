"""The disclosure policy: what the file may say, what it changes at the gate, and what is sensitive."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from mhlib.data import scales as codebooks
from mhlib.data.scales import scale, scales
from mhlib.errors import DataError, DisclosureError, ParamsError
from mhlib.report import disclosure, open_report, policy
from mhlib.report.disclosure import POLICIES, Gate
from mhlib.report.policy import BUILT_IN, NUMBERS, Policy, policies, policy_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty workspace, in force for this test."""
    for name in ("notebooks", "params"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("MHLIB_HOME", str(tmp_path))
    return tmp_path


def write(home: Path, text: str) -> None:
    (home / policy.FILE).write_text(text, encoding="utf-8")


def refusal(home: Path, text: str) -> str:
    write(home, text)
    with pytest.raises(ParamsError) as caught:
        policies()
    assert caught.value.exit_code == 10 and caught.value.where == "params/disclosure.yml"
    return str(caught.value)


def test_the_projects_own_file_states_the_built_in_numbers_and_explains_each():
    assert policies(ROOT) == BUILT_IN
    lines = (ROOT / policy.FILE).read_text("utf-8").splitlines()
    for name in NUMBERS:
        stated = [line for line in lines if line.strip().startswith(f"{name}:")]
        assert len(stated) == 2 and "# " in stated[0], name


def test_without_a_file_the_built_in_numbers_hold(home):
    assert policies() == BUILT_IN == POLICIES and policy.origin() == "built in"
    assert [BUILT_IN[name].min_cell for name in ("public", "closed", "open_data")] == [10, 8, 0]
    assert [BUILT_IN["public"].min_sensitive, BUILT_IN["public"].group_share] == [20, 0.9]


def test_the_width_is_the_least_cell_unless_it_is_given():
    assert Policy("x", 10, 5, 30).width == 10 and Policy("x", 10, 5, 30, width=12).width == 12
    assert disclosure.Policy is Policy


@pytest.mark.parametrize(
    ("key", "lax"),
    [("public.min_cell", "9"), ("closed.min_cell", "7"), ("public.round_to", "1"), ("closed.round_to", "12"),
     ("public.round_to", "0"), ("public.min_denominator", "29"), ("closed.min_sensitive", "19"),
     ("public.group_share", "0.91"), ("public.width", "9"), ("closed.width", "7")],
)  # fmt: skip
def test_a_laxer_number_is_refused_by_its_key(home, key, lax):
    audience, name = key.split(".")
    assert f"{key} must be" in refusal(home, f"{audience}: {{{name}: {lax}}}")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["true", "'30'", "30.5", "[30]", "-30", "030", "0x20", ".nan", ".inf", "2026-03-20"])
def test_a_wrong_type_is_refused_by_its_key(home, name, value):
    assert f"closed.{name} must be" in refusal(home, f"closed: {{{name}: {value}}}")


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "width"])
def test_only_the_width_may_be_null(home, name):
    assert f"public.{name} must be" in refusal(home, f"public: {{{name}: null}}")
    for width in ("", ", width: null"):
        write(home, f"public: {{min_cell: 15{width}}}")
        assert policy_of("public").width == 15


@pytest.mark.parametrize(
    ("text", "said"),
    [("open_data: {min_cell: 5}", "unknown key open_data; allowed: public, closed"),
     ("public: {min_cel: 20}", "unknown key public.min_cel; allowed: min_cell, "),
     ("public: {audience: closed}", "unknown key public.audience"), ("10: {}", "unknown key 10"),
     ("public: 10", "public must hold keys and values"), ("public:", "public must hold keys and values"),
     ("", "no audience is named"), ("- public", "no audience is named"), ("public: {", "not valid YAML"),
     ("public: {min_cell: 20, min_cell: 10}", "key min_cell is given twice"),
     ("public: {}\npublic: {}", "key public is given twice")],
)  # fmt: skip
def test_what_is_no_policy_is_refused(home, text, said):
    assert said in refusal(home, text)


def test_every_problem_is_told_at_once(home):
    said = refusal(home, "public: {min_cell: 9, colour: red}\nclosed: {round_to: 7}")
    assert all(key in said for key in ("public.min_cell", "public.colour", "closed.round_to"))


def test_a_file_that_cannot_be_read_never_means_the_built_in_numbers(home):
    path = home / policy.FILE
    path.write_bytes("public: {min_cell: 15} # 十五".encode("gb18030"))
    with pytest.raises(ParamsError, match="not UTF-8"):
        policies()
    path.unlink()
    path.symlink_to(home / "nowhere.yml")
    with pytest.raises(ParamsError, match="cannot be read"):
        policies()
    path.unlink()
    path.mkdir()
    with pytest.raises(ParamsError, match="cannot be read"):
        policies()


def test_stricter_numbers_are_what_the_gate_works_with(home):
    write(home, "public: {min_cell: 15, round_to: 10, min_denominator: 50}")
    public, closed = Gate.of("public"), Gate.of("closed")
    assert [public.count(n) for n in (14, 15, 24)] == [None, 20, 20]
    assert public.proportion(0.5, 49) is None and public.proportion(0.5, 50) == 0.5
    assert closed.policy == BUILT_IN["closed"] and Gate.of("open_data").count(1) == 1
    assert POLICIES["public"].min_cell == 10, "the built-in numbers are not touched"


def test_the_file_is_found_from_below_as_jupyterlab_stands(home, monkeypatch):
    write(home, "closed: {min_cell: 30}")
    monkeypatch.delenv("MHLIB_HOME")
    monkeypatch.chdir(home / "notebooks")
    assert policy_of("closed").min_cell == 30 and policy.origin() == "params/disclosure.yml"


def test_no_accepted_numbers_print_a_count_below_the_least_cell(home):
    """The ledger and the scanner take a printed count below the least cell for one that passed no gate."""
    accepted = 0
    for least, step in product(range(10, 41), range(5, 45, 5)):
        count = Gate(Policy("x", least, step, 30)).count(least)
        write(home, f"public: {{min_cell: {least}, round_to: {step}, min_sensitive: {20 * step}}}")
        if count >= least:
            assert policy_of("public").min_cell == least
            accepted += 1
        else:
            with pytest.raises(ParamsError, match=rf"public\.min_cell {least} would be printed as {count} .* take \d+"):
                policies()
    assert 100 < accepted < 31 * 8, "both ways were taken"


def test_the_least_cell_of_sensitive_matters_is_held_to_rounding_too(home):
    assert "public.min_sensitive 21 would be printed as 20" in refusal(home, "public: {min_sensitive: 21}")
    write(home, "public: {min_sensitive: 23}")
    assert Gate(policy_of("public").for_sensitive()).count(23) == 25


def test_sensitive_matters_have_the_larger_of_both_least_cells():
    assert (BUILT_IN["closed"].for_sensitive().min_cell, BUILT_IN["closed"].for_sensitive().width) == (20, 20)
    large = Policy("public", 25, 5, 30, width=40).for_sensitive()
    assert (large.min_cell, large.width, large.audience) == (25, 40, "public")
    assert BUILT_IN["open_data"].for_sensitive() == BUILT_IN["open_data"], "everybody has the file"


def test_an_unknown_audience_has_no_policy():
    with pytest.raises(DisclosureError, match="unknown audience press; public, closed, open_data"):
        policy_of("press")


def test_the_scale_of_suicidality_is_sensitive_and_says_so_in_its_codebook():
    assert [key for key, book in scales().items() if book.sensitive] == ["dsi_ss"]


def test_a_codebook_must_say_plainly_whether_it_is_sensitive(tmp_path, monkeypatch):
    book = yaml.safe_load((codebooks.CODEBOOKS / "dsi_ss.yml").read_text("utf-8"))
    monkeypatch.setattr(codebooks, "CODEBOOKS", tmp_path)
    for key, value in (("plain", True), ("unclear", "no")):
        (tmp_path / f"{key}.yml").write_text(yaml.safe_dump(book | {"sensitive": value}), encoding="utf-8")
    assert codebooks.scale.__wrapped__("plain").sensitive is True
    with pytest.raises(DataError, match="codebook unclear: sensitive is neither true nor false"):
        codebooks.scale.__wrapped__("unclear")


def opened(key: str, *groups: str, disclosure: str = "public"):
    params = SimpleNamespace(disclosure=disclosure, as_of="2026-03-20", evaluation="screening_validity", language="en",
                             groups=list(groups), is_the_published_file=lambda sha256, where: None)  # fmt: skip
    origin = SimpleNamespace(kind="file", source="wave.csv", sha256="ab" * 32, rows_read=15)
    return open_report(params, SimpleNamespace(provenance=origin, scale=scale(key) if key else None))


@pytest.mark.parametrize(("key", "rows"), [("dsi_ss", None), ("phq_9", 15), ("", 15)])
def test_a_sensitive_report_hides_what_another_shows(report, home, key, rows):
    opened(key, "sex")
    assert report.last["rows"] == rows


def test_the_files_number_holds_for_a_sensitive_report(report, home):
    write(home, "closed: {min_sensitive: 40}")
    assert opened("dsi_ss", disclosure="closed")._gate.count(39) is None
    assert opened("dsi_ss", disclosure="closed")._gate.count(40) == 40


@pytest.mark.parametrize("place", ["school_pid", "class_pid", "area_code", "group"])
def test_a_sensitive_report_speaks_of_the_whole_city_only(report, home, place):
    with pytest.raises(ParamsError, match=f"groups: {place} may tell a place.*leave it out") as caught:
        opened("dsi_ss", "sex", place)
    assert caught.value.exit_code == 10 and not report.bundles
    opened("phq_9", "sex", place)
    opened("dsi_ss", "sex", "level", "urban")
    assert len(report.bundles) == 2
