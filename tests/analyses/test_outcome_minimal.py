"""The county with one export and no control: a page that refuses and says what to collect, with numbers."""

import dataclasses
from pathlib import Path

import pytest

from mhlib.analyses import intervention_outcomes as analysis
from mhlib.data.synthetic import simulate
from mhlib.findings import Refused

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def county(tmp_path_factory):
    root = tmp_path_factory.mktemp("synthetic")
    simulate("minimal", destination=root / "minimal", truth_destination=root / "truth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MHLIB_SYNTHETIC", str(root))
        params = analysis.Params.from_file(ROOT / "params/minimal/intervention_outcomes.yml")
        data = analysis.load(params)
        yield params, data, analysis.estimate(data, params)


def parts_of(record, name=""):
    """Every field of every section, by its path."""
    if isinstance(record, Refused) or not dataclasses.is_dataclass(record):
        return [(name, record)]
    return [one for field in dataclasses.fields(record)
            for one in parts_of(getattr(record, field.name), f"{name}.{field.name}".strip("."))]  # fmt: skip


def test_the_total_is_that_of_the_items(county):
    _, data, _ = county
    y = data.people["y"]
    assert len(data.people) > 8000 and data.data.occasions == ("now",)
    assert y.min() == 0 and y.max() <= 27 and 3 < y.mean() < 8 and 0 < y.isna().sum() < 0.15 * len(y)


def test_no_effect_is_given_and_every_section_says_what_to_collect(county):
    params, _, result = county
    assert isinstance(result.effect, Refused) and result.strength == "none" and result.power.grade == 0
    refused = {name: part for name, part in parts_of(result) if isinstance(part, Refused)}
    for section in ("primary", "secondary", "missing", "change", "rtm", "harms", "cost"):
        own = [part for name, part in refused.items() if name.startswith(section)]
        assert own and all(len(part.what_to_collect.template) > 8 for part in own), section
    assert not any(part.code == "design" for part in refused.values()), "a reason of its own, not a general one"
    states = [light.state for light in analysis.lights(result, params)]
    assert states == ["unknown", "unknown", "bad", "unknown", "unknown", "unknown", "bad"]
    assert not any(light.finding.template == "See the section." for light in analysis.lights(result, params))


def test_the_answer_is_short_and_holds_a_plan_with_numbers(county):
    params, _, result = county
    said = analysis.answer(result, params)
    words = " ".join(one.template for one in said)
    assert "is not known" in words and "What to collect" in words and len(words.split()) < 300
    plan = next(one for one in said if one.template.startswith("How next term"))
    assert plan.values["schools"] == params.next_schools == 12 and 0.1 < float(plan.values["mdes"]) < 0.4
    more = next(one for one in said if "needs at most" in one.template)
    table = result.power.next_term.table.set_index("n_units")["mdes_wait"]
    assert table[more.values["schools"]] <= params.margin < table[params.next_schools]
