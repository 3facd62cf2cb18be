import pytest

from mhlib.findings import Count, Estimate, Proportion, message
from mhlib.report.disclosure import Gate
from mhlib.report.language import LANGUAGES, catalogue, missing, paragraphs, translated, used_templates, words

GATE = Gate.of("public")


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_is_missing(language):
    assert missing(language) == []


def test_a_missing_message_is_noticed(monkeypatch):
    from mhlib.report import language

    monkeypatch.setattr(language, "used_templates", lambda: used_templates() | {"A sentence nobody translated."})
    assert language.missing("zh") == ["A sentence nobody translated."]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_keeps_every_field(language):
    import re

    for template in used_templates():
        fields = sorted(re.findall(r"\{(\w+)\}", template))
        assert sorted(re.findall(r"\{(\w+)\}", translated(template, language))) == fields, template


def test_numbers_pass_the_gate_on_their_way_into_words():
    text = message("{share} of {enrolled} enrolled have a score.", share=Proportion(0.961, 9013), enrolled=Count(9013))
    assert words(text, "en", GATE) == "96.1% of 9,020 enrolled have a score."
    assert words(text, "zh", GATE) == "在籍 9,020 人中，有得分者占 96.1%。"
    few = message("{share} of {enrolled} enrolled have a score.", share=Proportion(0.5, 8), enrolled=Count(8))
    assert words(few, "en", GATE) == "— of [not shown] enrolled have a score."


def test_an_interval_stands_beside_its_estimate():
    text = message("Its reliability is not known: {why}", why=Estimate(0.912, 500, 0.901, 0.923))
    assert words(text, "en", GATE).endswith("0.91 (0.90 to 0.92)")


def test_paragraphs_are_templates():
    assert paragraphs("## Answer\n\nOne\nline.\n\nTwo.") == ["Answer", "One line.", "Two."]


def test_catalogues_read_without_being_compiled():
    assert catalogue("zh").gettext("Answer") == "结论"
