import pytest
import yaml

from mhlib.data import scales
from mhlib.errors import DataError

EXPECTED = {
    "mht", "mssmhs", "scl_90", "phq_9", "phq_2", "gad_7", "sdq_self", "ces_d", "ces_dc", "scared", "dass_21", "dass_42",
    "cdi", "scas", "who_5", "dsi_ss", "ghq_12", "stai_state", "stai_trait", "pcl_c",
}  # fmt: skip


def test_every_instrument_of_the_programme_has_a_codebook():
    assert set(scales.scales()) >= EXPECTED


@pytest.mark.parametrize("key", sorted(scales.scales()))
def test_a_codebook_is_whole(key):
    book = scales.scale(key)
    assert set(book.names) == {"zh", "en"} and book.licence and book.sources
    assert book.low < book.high and set(book.total_items) <= set(range(1, book.n_items + 1))
    assert {cutoff.on for cutoff in book.all_cutoffs} <= {"total", *book.subscales}
    assert (book.confidence == "verified") == (len(book.sources) >= 2)


def test_an_unverified_scale_offers_no_cutoffs():
    book = scales.scale("scl_90")
    assert book.confidence == "unverified" and book.cutoffs == () and book.all_cutoffs


@pytest.mark.parametrize(("key", "items"), [("mht", 100), ("mssmhs", 60), ("scared", 41), ("dass_42", 42)])
def test_subscales_share_no_item_and_cover_the_scale(key, items):
    numbers = sorted(number for subscale in scales.scale(key).subscales.values() for number in subscale)
    assert numbers == list(range(1, items + 1))


def test_the_lie_scale_does_not_enter_the_total():
    book = scales.scale("mht")
    assert len(book.total_items) == 90 and not set(book.subscales["lie"]) & set(book.total_items)


def test_a_changed_key_without_its_checksum_is_refused(tmp_path, monkeypatch):
    book = yaml.safe_load((scales.CODEBOOKS / "phq_9.yml").read_text(encoding="utf-8"))
    (tmp_path / "phq_9x.yml").write_text(yaml.safe_dump(book | {"reverse": [3]}), encoding="utf-8")
    monkeypatch.setattr(scales, "CODEBOOKS", tmp_path)
    with pytest.raises(DataError, match="does not match its checksum"):
        scales.scale.__wrapped__("phq_9x")


def test_an_unknown_scale_gets_a_hint():
    with pytest.raises(DataError, match=r"no codebook named phq9; .*did you mean phq_9\?"):
        scales.scale("phq9")
