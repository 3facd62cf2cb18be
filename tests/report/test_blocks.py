"""Lights, checklists, sentences, folded tables and refusals: what they say, where they lead, and what they never tell."""

import csv
import io
import json
import re

import pandas as pd
import pytest

from mhlib.findings import Count, Light, Proportion, Refused, Reported, message
from mhlib.report.blocks import STATES, anchor
from mhlib.report.disclosure import Gate, kind_of
from mhlib.report.language import LANGUAGES, number
from mhlib.report.tables import grid, html_table
from mhlib.report.vocabulary import COLUMNS, TERMS

RULE = message("interval at or above {rule}", rule="0.70")
WHY = Refused("no_items", message("The source holds only a total score; reliability cannot be estimated from it."),
              message("The answers to the single items, one column an item."))  # fmt: skip
NOTHING = Refused("one_factor", message("Every group could be judged."), message("Nothing."))


def light(state, planned=True, finding=None):
    return Light(message("Precise enough?"), state, finding or message("Nobody was interviewed."), RULE, planned)


def test_a_light_tells_its_state_by_shape_and_by_word():
    marks, said = [mark for mark, _ in STATES.values()], [text.template for _, text in STATES.values()]
    assert set(STATES) == {"good", "watch", "bad", "unknown"}
    assert len(set(marks)) == len(set(said)) == 4 and all(mark.strip() for mark in marks)


@pytest.mark.parametrize("language", LANGUAGES)
def test_lights_are_read_without_colour(report, language):
    view = report.view(language=language)
    view.lights([light(state) for state in STATES], caption="Verdict, line by line")
    html = report.last["html"][language]
    plain = re.sub(r'style="[^"]*"', "", re.sub("<[^>]+>", "|", html))
    words = [re.search(rf'class="light {state}">(.*?)</span>\s*([^<]+)<', html).group(2) for state in STATES]
    assert len(set(words)) == 4 and all(mark in plain for mark, _ in STATES.values())
    assert html.count('aria-hidden="true"') == 4, "shapes are not read aloud, words are"
    assert [row["state"] for row in report.last["frame"]] == list(STATES)


@pytest.mark.parametrize("state", ["green", "", None])
def test_a_light_of_no_state_is_a_fault(report, state):
    with pytest.raises(KeyError):
        report.view().lights([light(state)], caption="Verdict, line by line")


def test_whether_rules_were_fixed_is_said_once_when_all_were(report):
    view = report.view()
    view.lights([light("good"), light("bad")], caption="Verdict, line by line")
    assert report.last["html"]["en"].count("All rules were fixed before the data were seen.") == 1
    view.lights([light("good"), light("bad", planned=False)], name="mixed", caption="Verdict, line by line")
    html = report.last["html"]["en"]
    assert "exploratory" in html and "fixed beforehand" in html and "All rules" not in html


def test_all_exploratory_rules_are_not_called_fixed(report):
    report.view().lights([light("good", planned=False)], caption="Verdict, line by line")
    html = report.last["html"]["en"]
    assert "All rules were fixed" not in html and "exploratory" in html


def test_no_light_at_all_says_nothing_of_rules(report):
    report.view().lights([], caption="Verdict, line by line")
    assert "All rules were fixed" not in report.last["html"]["en"]


def test_a_small_count_in_a_light_or_a_sentence_is_hidden(report):
    view = report.view()
    finding = message("{seen} of {all} scored pupils were interviewed.", seen=Count(7), all=Count(1233))
    view.lights([light("bad", finding=finding)], caption="Verdict, line by line")
    view.sentences(
        [finding, message("{share} of those scored are screen-positive.", share=Proportion(0.4242, 9))], name="said"
    )
    for element in report.elements[1:]:
        said = json.dumps(element, ensure_ascii=False)
        assert (
            "1233" not in said
            and "1,233" not in said
            and "[not shown]" in said
            and "［不公布］" in said
            and "1,240" in said
        )
        assert not re.search(r">\s*7 ", said) and "42%" not in said


def test_no_sentences_leave_no_trace(report):
    report.view().sentences([], name="none")
    assert report.last["html"] == {"zh": "", "en": ""}


def test_a_checklist_leads_to_its_sections_whatever_the_language(report):
    view = report.view()
    view.checklist([Reported("1", message("Named as a study of accuracy"), "Answer"),
                    Reported("28", message("Registration"), "", message("register and number"))], caption="STARD 2015")  # fmt: skip
    for language in LANGUAGES:
        html = report.page(language)
        assert '<a href="#answer">' in html and '<section id="answer"' in html and html.count("—") >= 2
    assert [row["complete"] for row in report.last["frame"]] == [True, False]


@pytest.mark.parametrize(
    ("heading", "address"),
    [("Equal for all?", "equal-for-all"), ("Yield, work and money", "yield-work-and-money"), ("  A – B  ", "a-b")],
)
def test_an_anchor_is_the_english_heading(heading, address):
    assert anchor(heading) == address


def test_the_address_of_a_section_does_not_change_with_the_language(report):
    report.view().sentence(message("Nothing."))
    pages = [report.page(language, "# Screening validity", "## Equal for all?\n\nNothing.") for language in LANGUAGES]
    assert all('<section id="equal-for-all"' in page and 'href="#equal-for-all"' in page for page in pages)
    assert "Equal for all?" not in re.sub(r"<[^>]+>", "", pages[0])


def test_a_refusal_is_said_once_and_then_in_a_line(report):
    view = report.view()
    view.table("first", WHY, caption="Reliability of each scale")
    view.figure("second", WHY, kind="forest", caption="Structure")
    view.table("third", NOTHING, caption="Groups that could not be judged")
    first, second, third = (element["html"]["en"] for element in report.elements[1:])
    assert "To collect:" in first and 'class="refusal"' in first
    assert second == '<p class="quiet">Structure: not given, for the reason stated above.</p>'
    assert (
        third.startswith('<p class="quiet">') and "Every group could be judged." in third and "To collect" not in third
    )
    assert [element["code"] for element in report.elements[1:]] == ["no_items", "no_items", "one_factor"]


def test_the_same_refusal_made_anew_counts_as_the_same(report):
    view = report.view()
    for name in ("first", "second"):
        why = message("Among {n} verified pupils who screened negative fewer than {least} were cases: a corrected sensitivity "
                      "would rest on a handful of pupils.", n=Count(104), least=5)  # fmt: skip
        view.table(name, Refused("few", why, message("Nothing more.")), caption="Reliability of each scale")
    assert "stated above" in report.last["html"]["en"]


FRAME = pd.DataFrame({
    "term": ["sensitivity", "auc", "score_mean"], "estimate": [0.8125, 0.9123, -0.0004], "conf_low": [0.7, 0.9, -0.1],
    "conf_high": [0.9, 0.92, 0.1], "p_value": [0.2, 0.04, 0.5], "n_used": [1203, 1203, 1203],
})  # fmt: skip


def cells_of(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_csv_holds_the_numbers_of_the_page(report, language):
    report.view().table("found", FRAME, caption="Reliability of each scale")
    element = report.last
    lines = element["csv"][language].splitlines()
    assert lines[0].startswith("# ")
    assert list(csv.reader(io.StringIO("\n".join(lines[1:])))) == cells_of(element["html"][language])


def test_an_interval_stands_in_one_column_beside_its_number(report):
    report.view().table("found", FRAME, caption="Reliability of each scale")
    head, *rows = cells_of(report.last["html"]["en"])
    assert head == ["quantity", "estimate", "confidence interval", "people used"]
    assert rows[0] == ["sensitivity", "81.2%", "70.0% – 90.0%", "1,200"]
    assert rows[2][1] == "0.00" and rows[2][2] == "−0.10 – 0.10"


def test_the_pairs_of_limits_follow_their_own_numbers():
    frame = pd.DataFrame({"group": ["sex"], "difference": [0.1], "difference_low": [-0.1], "difference_high": [0.3],
                          "cutoff": [11.0], "cutoff_low": [9.0], "cutoff_high": [12.0], "n_used": [1200]})  # fmt: skip
    headers, numeric, rows = grid(frame, "en", Gate.of("public"))
    assert headers == ["group or variant", "difference", "confidence interval", "cut-off (points)",
                       "chosen in 95% of resamples (points)", "people used"]  # fmt: skip
    assert rows == [["sex", "0.100", "−0.100 – 0.300", "11", "9 – 12", "1,200"]] and numeric == [False, *[True] * 5]


def test_columns_choose_and_order_and_show_what_else_is_hidden(report):
    view = report.view()
    view.table("found", FRAME, caption="Reliability of each scale", columns=["term", "p_value", "estimate"])
    head, first, *_ = cells_of(report.last["html"]["en"])
    assert head == ["quantity", "p value", "estimate", "confidence interval"] and first[1] == "0.200"
    view.table("again", FRAME, caption="Reliability of each scale", columns=["term", "absent", "estimate"])
    assert cells_of(report.last["html"]["en"])[0] == ["quantity", "estimate", "confidence interval"]


def test_decimals_are_those_of_the_fewest_people_behind_a_row(report):
    """A share that the gate rounded to whole percents must not be written with a nought behind the point."""
    frame = pd.DataFrame({"cutoff": [10.0], "referrals": [485], "sensitivity": [0.8123], "n_used": [1500]})
    report.view().table("found", frame, caption="Every cut-off")
    assert cells_of(report.last["html"]["en"])[1] == ["10", "485", "81%", "1,500"]


def test_a_table_of_nothing_and_one_of_hidden_rows(report):
    view = report.view()
    view.table("nothing", FRAME.iloc[:0], caption="Reliability of each scale")
    assert cells_of(report.last["html"]["en"]) == [["quantity"]]
    view.table("few", FRAME.assign(n_used=7), caption="Reliability of each scale")
    assert [row[0] for row in cells_of(report.last["html"]["en"])[1:]] == [
        "sensitivity",
        "area under the ROC curve",
        "mean score (points)",
    ]
    assert "0.9" not in json.dumps(report.last["csv"]) and all(row["estimate"] is None for row in report.last["frame"])
    view.table("bare", pd.DataFrame({"n": [7, 3]}), caption="Reliability of each scale")
    assert cells_of(report.last["html"]["en"]) == [["people"], ["—"], ["—"]]


def test_a_folded_table_opens_at_its_caption(report):
    report.view().table("found", FRAME, caption="Reliability of each scale", folded=True)
    html = report.last["html"]["en"]
    assert (
        html.startswith('<details class="folded"><summary>Table 1. Reliability of each scale</summary>')
        and " open" not in html
    )
    assert html.endswith("</details>") and "<table>" in html and report.last["csv"]["en"]


def test_figures_and_tables_are_numbered_apart_and_refusals_take_no_number(report):
    view = report.view()
    view.table("one", FRAME, caption="Structure")
    view.table("refused", WHY, caption="Structure")
    view.lights([light("good")], caption="Structure")
    view.flow("flow", [(message("enrolled"), Count(100))], caption="Structure")
    assert [element.get("number") for element in report.elements[1:]] == [1, None, 2, 1]


@pytest.mark.parametrize("n", [0, 7, 9, 12, 1233])
def test_no_exact_count_is_in_any_form_of_a_flow(report, n):
    report.view().flow("flow", [(message("enrolled"), Count(5000)), (message("scored"), Count(n))], caption="Structure")
    said = json.dumps(report.last, ensure_ascii=False)
    assert f'"n": {n}' not in said and f">{n:,}<" not in said and f": {n:,}" not in said
    assert report.last["frame"][1]["n"] == Gate.of("public").count(n)


def test_every_word_of_the_vocabulary_has_a_kind_that_the_gate_knows():
    kinds = {
        "text",
        "named",
        "said",
        "plan",
        "plan_share",
        "flag",
        "count",
        "proportion",
        "people_share",
        "money",
        "estimate",
        "p_value",
        "by_term",
    }
    assert {word.kind for word in COLUMNS.values()} <= kinds and {word.kind for word in TERMS.values()} <= kinds
    assert (
        kind_of("estimate", {"term": "sensitivity"}) == "proportion"
        and kind_of("estimate", {"term": "?"}) == "estimate"
    )


def test_a_name_of_the_vocabulary_is_translated_and_a_foreign_one_stands():
    frame = pd.DataFrame(
        {"model": ["model_one_factor", "总分模型"], "factor": ["total", "F1"], "cfi": [0.95, 0.9], "n_used": [400] * 2}
    )
    _, _, rows = grid(Gate.of("public").frame(frame, where="t"), "zh", Gate.of("public"))
    assert rows[0][0] not in ("model_one_factor", "one factor") and rows[1][:2] == ["总分模型", "F1"]


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (-0.0004, 3, "0.000"),
        (-0.0006, 3, "−0.001"),
        (0.0, 2, "0.00"),
        (-12.3, 0, "−12"),
        (-0.4, 0, "0"),
        (None, 2, "—"),
        (float("nan"), 2, "—"),
    ],
)
def test_a_number_is_written_with_its_digits_and_a_true_minus(value, digits, written):
    assert number(value, digits) == written


def test_markup_in_data_is_text():
    html = html_table(["<b>"], [False], [["<script>1</script>"]], caption="<i>", note="&")
    assert "<script>" not in html and "<b>" not in html and "<i>" not in html and "&amp;" in html


def test_a_share_of_few_people_is_hidden_like_their_number():
    gate = Gate.of("public")
    shown = gate.frame(
        pd.DataFrame({"item": ["1", "2", "3"], "missing": [3 / 2900, 40 / 2900, 2897 / 2900], "n": 2900}), where="t"
    )
    assert shown["missing"].isna().tolist() == [True, False, True]


def test_money_does_not_give_the_people_back():
    gate = Gate.of("public")
    row = {"term": "yield_cost_total", "estimate": 8_257_088.0, "n_used": 125_227}
    assert gate.frame(pd.DataFrame([row]), where="t")["estimate"].tolist() == [8_260_000.0]


def test_no_p_value_is_nought():
    frame = pd.DataFrame({"group": ["a", "b"], "p_value": [1e-12, 0.04], "n_used": 500})
    gated = Gate.of("public").frame(frame, where="t")
    assert [row[1] for row in grid(gated, "en", Gate.of("public"), columns=["group", "p_value"])[2]] == [
        "< 0.001",
        "0.040",
    ]
