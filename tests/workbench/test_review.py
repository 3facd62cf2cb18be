"""Sign-off: two people who are not the author, these very bytes, a clean scan; then, and only then, a published copy."""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mhlib.errors import DisclosureError, MhlibError, ParamsError, WorkbenchError
from mhlib.report.protection_file import BOOK
from mhlib.workbench import chain, review, review_release, scanner
from mhlib.workbench.releases import Release, earlier_releases, ledger_file, record_release
from mhlib.workbench.review import Review, lacking, person, reviews, standing
from mhlib.workbench.review_draft import Draft, draft, without_mark
from mhlib.workbench.workspace import Workspace

from .conftest import Bench

MARK = (b'<!-- mhlib:draft -->\n<p class="draft" role="note" data-mark="DRAFT">Draft: two reviewers have not signed it off. '
        b"Not for publication.</p>\n<!-- /mhlib:draft -->\n")  # fmt: skip


def clean(folder: Path, *, known: object = None) -> list:
    return []


class Desk:
    """A report in both languages by 陈晓, on the desks of her reviewers."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.workspace, self.folder = bench, bench.workspace, bench.report

    def sign_author(self, name: str = "陈晓") -> None:
        for path in self.folder.glob("*/run.json"):
            path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"author": name}), "utf-8")

    def approve(self, by: str, note: str = "numbers and wording checked") -> Review:
        return review.decide(self.workspace, "demo/tiny", decision="approve", by=by, note=note)

    def send_back(self, by: str = "王敏") -> Review:
        return review.decide(self.workspace, "demo/tiny", decision="return", by=by, note="the limits are not said")

    def release(self, scan=clean):
        return review_release.release(self.workspace, "demo/tiny", scan=scan)

    def names(self) -> list[str]:
        return [one.by for one in standing(reviews(self.folder), draft(self.folder))]

    def lacks(self) -> list[str]:
        return lacking(draft(self.folder), reviews(self.folder))

    def run_folder(self, language: str) -> Path:
        return self.folder / draft(self.folder).runs[language]

    def ledger(self) -> list[Release]:
        return earlier_releases(ledger_file(self.workspace))

    def released(self) -> list[Path]:
        return [path for path in (self.workspace.reports / "published").rglob("*") if path.is_file()]


@pytest.fixture(scope="session")
def both_languages(published_once, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("signed") / "city"
    shutil.copytree(published_once[0], root)
    bench = Bench(root)
    assert bench.run(language="en")["exit_code"] == 0
    Desk(bench).sign_author()
    return root


@pytest.fixture
def desk(both_languages, tmp_path) -> Desk:
    shutil.copytree(both_languages, tmp_path / "city")
    return Desk(Bench(tmp_path / "city"))


def test_what_was_approved_is_published_but_for_the_mark(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    pages = {language: (desk.folder / f"latest.{language}.html").read_bytes() for language in ("zh", "en")}
    assert pages["en"].count(MARK) == 1 and "草稿：尚未经两名审核人签字，不得对外发布。".encode() in pages["zh"]
    done = desk.release()
    assert done.new and done.folder.parent == desk.workspace.reports / "published" / "demo" / "tiny"
    assert {path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*") if path.is_file()} == {
        "report.zh.html", "report.en.html", "tables/zh/counts.csv", "tables/en/counts.csv", "SHA256SUMS",
    }  # fmt: skip
    assert (done.folder / "report.en.html").read_bytes() == pages["en"].replace(MARK, b"")
    published = (done.folder / "report.zh.html").read_text("utf-8")
    assert "草稿" not in published and 'class="draft"' not in published and "mhlib:draft" not in published
    assert len(pages["zh"]) - len(published.encode()) == len(pages["zh"]) - len(without_mark(pages["zh"], where="x"))
    for language in ("zh", "en"):
        table = (desk.run_folder(language) / "tables" / "counts.csv").read_bytes()
        assert (done.folder / "tables" / language / "counts.csv").read_bytes() == table
    for line in (done.folder / "SHA256SUMS").read_text("utf-8").splitlines():
        total, name = line.split("  ")
        assert hashlib.sha256((done.folder / name).read_bytes()).hexdigest() == total == done.files[name]
    assert [one.by for one in done.approvals] == ["王敏", "Li Hua"]
    assert "草稿" in (desk.folder / "latest.zh.html").read_text("utf-8"), "the draft stays a draft"


def test_one_approval_is_not_enough_and_what_is_lacking_is_said(desk):
    desk.approve("王敏")
    with pytest.raises(DisclosureError, match=r"demo/tiny: 1 of 2 approvals stand$") as caught:
        desk.release()
    assert caught.value.exit_code == 13
    assert desk.released() == []


@pytest.mark.parametrize("name", ["陈晓", "陈 晓", "陈\u3000晓", "陈\u200b晓"])
def test_the_author_may_not_approve_however_the_name_is_written(desk, name):
    with pytest.raises(DisclosureError, match="its author may not approve it; 2 other people; ask somebody else"):
        desk.approve(name)
    assert not review.reviews_file(desk.folder).exists()


def test_whoever_executed_first_is_an_author_though_another_rendered(desk):
    other = desk.folder / "2025-01-01-0123456789ab"
    shutil.copytree(desk.run_folder("zh"), other)
    record = json.loads((other / "run.json").read_text("utf-8"))
    (other / "run.json").write_text(json.dumps(record | {"author": "赵军"}), "utf-8")
    (other / "report.zh.html").write_bytes(b"an earlier template")
    with pytest.raises(DisclosureError, match="its author may not approve it"):
        desk.approve("赵军")
    (other / "run.json").write_text(json.dumps(record | {"author": "赵军", "execution_key": "0" * 64}), "utf-8")
    assert desk.approve("赵军").by == "赵军", "an author of other numbers may"


def test_who_becomes_an_author_later_no_longer_counts(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    desk.sign_author("LI HUA")
    assert desk.names() == ["王敏"]


@pytest.mark.parametrize("again", ["Li Hua", "LI  HUA", "Ｌｉ Ｈｕａ"])
def test_one_person_approves_once(desk, again):
    desk.approve("Li Hua")
    with pytest.raises(DisclosureError, match="this person has approved these pages before; one approval a person"):
        desk.approve(again)
    assert desk.names() == ["Li Hua"]


def test_one_person_in_two_places_at_once_approves_once(desk):
    def attempt(_):
        try:
            return desk.approve("Li Hua").decision
        except DisclosureError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(attempt, range(4))) == ["approve", "refused", "refused", "refused"]
    assert len(reviews(desk.folder)) == 1 and chain.verify(review.reviews_file(desk.folder)) == []


def edit(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_byte_of_any_table_voids_every_approval(desk, language, place):
    desk.approve("王敏"), desk.approve("Li Hua")
    path = desk.run_folder(language) / "tables" / "counts.csv"
    edit(path, place)
    assert desk.names() == []
    with pytest.raises(DisclosureError, match=r"0 of 2 approvals stand \(2 were of other bytes\)"):
        desk.release()
    edit(path, place)
    assert desk.release().new, "the very bytes that were approved"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_byte_of_either_page_voids_every_approval(desk, language):
    desk.approve("王敏"), desk.approve("Li Hua")
    for path in (desk.run_folder(language) / f"report.{language}.html", desk.folder / f"latest.{language}.html"):
        edit(path, -2)
    assert desk.names() == []
    with pytest.raises(DisclosureError, match=f"the page in {language} is not as its run wrote it"):
        desk.release()
    with pytest.raises(DisclosureError, match=f"the page in {language} is not as its run wrote it"):
        desk.approve("赵军")


@pytest.mark.parametrize("change", ["added", "gone", "renamed"])
def test_a_table_more_or_less_voids_every_approval(desk, change):
    desk.approve("王敏"), desk.approve("Li Hua")
    path = desk.run_folder("en") / "tables" / "counts.csv"
    if change == "added":
        path.with_name("more.csv").write_text("a\n", "utf-8")
    else:
        path.rename(path.with_suffix(".csv" if change == "renamed" else ".txt").with_stem("other"))
    assert desk.names() == []


def test_a_return_voids_what_stood_and_the_same_people_may_approve_again(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    desk.send_back("王敏")
    assert desk.lacks() == ["0 of 2 approvals stand (the return by 王敏 voided those before it)"]
    desk.approve("Li Hua"), desk.approve("王敏")
    assert desk.release().new


def test_the_author_may_return_a_report(desk):
    desk.approve("王敏")
    desk.send_back("陈晓")
    assert desk.names() == []


def test_reviews_outlive_a_run_that_is_made_again(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    assert desk.bench.run(force=True)["exit_code"] == 0
    desk.sign_author()
    assert desk.names() == ["王敏", "Li Hua"]
    desk.bench.people(answers=(0, 1, 2, 3) * 20)
    record = desk.bench.run()
    assert record["exit_code"] == 0 and "skipped" not in record
    desk.sign_author()
    assert "the pages in zh and en come from different numbers: run the report in both languages" in desk.lacks()
    assert desk.names() == []


@pytest.mark.parametrize("audience", ["closed", "open_data"])
def test_only_a_public_report_is_signed_and_published(desk, audience):
    for path in desk.folder.glob("*/run.json"):
        record = json.loads(path.read_text("utf-8"))
        path.write_text(json.dumps(record | {"params": record["params"] | {"disclosure": audience}}), "utf-8")
    for act in (desk.release, lambda: desk.approve("王敏")):
        with pytest.raises(DisclosureError, match=f"its audience is {audience}; only a report with disclosure: public"):
            act()


def test_a_closed_report_carries_no_mark(new_bench):
    assert new_bench.run(disclosure="closed")["exit_code"] == 0
    assert "mhlib:draft" not in (new_bench.report / "latest.zh.html").read_text("utf-8")


def test_a_report_in_one_language_and_one_without_an_author_lack_them(bench):
    desk = Desk(bench)
    desk.sign_author("")
    assert [one.partition(":")[0] for one in desk.lacks()] == [
        "the latest page in en is not there", "the run in zh names no author, who may not sign", "0 of 2 approvals stand",
    ]  # fmt: skip
    with pytest.raises(DisclosureError, match="2 problems"):
        desk.approve("王敏")


def test_leaks_and_a_scanner_that_is_not_there_keep_a_report_in(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    seen = []

    def leaky(folder: Path, *, known: object) -> list[str]:
        seen.append(folder)
        return [f"{place.name}: an identifier, row {row}" for row, place in enumerate([folder] * 4)]

    with pytest.raises(DisclosureError, match=r"the scan found 8 leaks: zh: .*row 0; .*; and 3 more"):
        desk.release(leaky)
    assert sorted(seen) == sorted(desk.run_folder(language) for language in ("zh", "en"))
    with pytest.raises(DisclosureError, match="the leak scanner is not there"):
        desk.release(None)
    assert desk.released() == [] and len(reviews(desk.folder)) == 2


def test_a_draft_that_changes_under_the_scanner_stays_in(desk):
    desk.approve("王敏"), desk.approve("Li Hua")

    def meddling(folder: Path, *, known: object) -> list:
        edit(folder / "tables" / "counts.csv", 5)
        return []

    with pytest.raises(DisclosureError, match="files of the draft changed while it was scanned"):
        desk.release(meddling)
    assert desk.released() == []


def test_publishing_twice_is_publishing_once(desk):
    desk.approve("王敏"), desk.approve("Li Hua")
    first, second = desk.release(), desk.release()
    assert (first.new, second.new, first.folder) == (True, False, second.folder)
    assert [one.decision for one in reviews(desk.folder)] == ["approve", "approve", "published"]
    edit(first.folder / "report.zh.html", 40)
    assert desk.release().new, "a copy that was altered is set right"
    assert (first.folder / "report.zh.html").read_bytes() == without_mark(
        (desk.folder / "latest.zh.html").read_bytes(), where="zh"
    )
    assert review_release.copies(desk.workspace, "demo/tiny") == [first.folder]


def test_a_release_that_fails_at_its_last_step_leaves_nothing_half_out(desk, monkeypatch):
    desk.approve("王敏"), desk.approve("Li Hua")

    def full(scratch: Path, final: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(review_release, "move_into_place", full)
        with pytest.raises(WorkbenchError, match=r"cannot be written \(No space left on device\)"):
            desk.release()
    assert desk.released() == [] and not list((desk.workspace.reports / ".scratch").glob("publish*"))
    assert desk.release().new
    assert [one.decision for one in reviews(desk.folder)] == ["approve", "approve", "published"]


@pytest.fixture
def signed(desk) -> Desk:
    desk.approve("王敏"), desk.approve("Li Hua")
    return desk


def test_what_is_published_stands_in_the_ledger_once_with_what_a_reader_sees(signed):
    done = signed.release()
    (kept,) = signed.ledger()
    record = json.loads((signed.run_folder("zh") / "run.json").read_text("utf-8"))
    assert (kept.number, kept.set_name, kept.name, kept.evaluation, kept.term) == (
        done.ledger,
        "demo",
        "tiny",
        "tiny",
        "",
    )
    assert (kept.base_key, kept.data_sha256) == (record["base_key"], record["data_sha256"])
    assert [(cell.table, cell.measure, cell.value) for cell in kept.cells] == [("counts", "n", 60)]
    (table,) = kept.tables
    assert table["population"] == record["data_sha256"][:16] and set(zip(table["low"], table["high"], strict=True)) == {
        (58, 62)
    }
    raw = ledger_file(signed.workspace).read_bytes()
    assert signed.release().ledger == done.ledger and ledger_file(signed.workspace).read_bytes() == raw


def test_a_hidden_count_never_enters_the_ledger(signed):
    """One of the book's counts was not shown: of its number, and of limits of it, the ledger knows nothing."""
    for language in ("zh", "en"):
        path = signed.run_folder(language) / BOOK
        kept = json.loads(path.read_text("utf-8"))
        kept["entries"].append({"keys": [{"element": "more", "group": "a", "measure": "n"}], "n": 7, "low": 0, "high": None,
                                "told": [0, None], "hidden": False, "target": True})  # fmt: skip
        path.write_text(json.dumps(kept), "utf-8")
    signed.release()
    (table,) = signed.ledger()[0].tables
    cells = table["axes"]["cells"]
    at = cells.index({"element": "more", "group": "a", "measure": "n"})
    assert at not in table["cells"] and 7 not in table["low"] + table["high"]


def test_a_release_that_came_out_since_keeps_a_report_in(signed):
    """Another report of data with three pupils fewer is out: this one was made before, and hides nothing for it."""
    signed.release()
    (first,) = signed.ledger()
    ledger_file(signed.workspace).unlink()
    shutil.rmtree(signed.workspace.reports / "published")
    table = dict(first.tables[0])
    table |= {"low": [53.0 for _ in table["low"]], "high": [57.0 for _ in table["high"]], "population": "e" * 16}
    other = replace(first, name="earlier", base_key="0" * 64, data_sha256="e" * 64, tables=(table,))
    record_release(ledger_file(signed.workspace), other)
    with pytest.raises(DisclosureError, match=r"can be worked out with what was published before: change: ") as caught:
        signed.release()
    assert caught.value.exit_code == 13 and "run the report again" in str(caught.value)
    assert not re.search(r"\b(5[3-7]|60)\b", str(caught.value)), "names, no value"
    assert signed.released() == [] and len(signed.ledger()) == 1


def doctored(desk: Desk, change: Callable[[dict], object]) -> None:
    path = desk.run_folder("en") / BOOK
    kept = json.loads(path.read_text("utf-8"))
    change(kept)
    path.write_text(json.dumps(kept), "utf-8")


@pytest.mark.parametrize(("change", "text"), [
    (lambda kept: [one.update(low=0, high=None) for one in kept["entries"]], "counts stand otherwise on the page than in its book"),
    (lambda kept: [one.update(n=61) for one in kept["entries"]], "counts stand otherwise on the page than in its book"),
    (lambda kept: kept.update(entries=[]), "counts stand otherwise on the page than in its book"),
    (lambda kept: kept["entries"][0].update(n=7), "its book contradicts itself"),
    (lambda kept: kept["policy"].update(min_cell=0), "its book was kept by a laxer policy than is in force"),
    (lambda kept: kept.pop("sums"), r"what the run left cannot be read \(KeyError\)"),
])  # fmt: skip
def test_a_doctored_book_keeps_a_report_in(signed, change, text):
    doctored(signed, change)
    with pytest.raises(DisclosureError, match=f"en: .*{text}.*run the report again") as caught:
        signed.release()
    assert caught.value.exit_code == 13
    assert signed.released() == [] and signed.ledger() == []


def test_a_count_that_the_book_shows_to_be_worked_out_keeps_a_report_in(signed):
    """A total of 70 in print beside the 60: whoever subtracts has the rest of ten less."""

    def with_a_rest(kept: dict) -> None:
        at = len(kept["entries"])
        for n, low, high in ((65, 65, 65), (5, 0, None)):
            kept["entries"].append({"keys": [{"element": "more", "measure": "n", "row": str(n)}], "n": n, "low": low, "high": high,
                                    "told": [low, high], "hidden": False, "target": n < 10})  # fmt: skip
        kept["sums"].append([at, 0, at + 1])

    doctored(signed, with_a_rest)
    with pytest.raises(DisclosureError, match=r"en: 1 hidden counts, or changes of a few people, can be worked out: "):
        signed.release()


def test_a_run_without_a_book_and_one_from_before_are_run_again(signed):
    (signed.run_folder("zh") / BOOK).unlink()
    path = signed.run_folder("en") / "run.json"
    record = json.loads(path.read_text("utf-8"))
    del record["base_key"]
    path.write_text(json.dumps(record), "utf-8")
    with pytest.raises(
        DisclosureError, match=r"zh: it has no book of what its counts give away: run the report again"
    ) as caught:
        signed.release()
    assert "en: run.json lacks base_key: run the report again" in str(caught.value)


def test_a_doctored_ledger_keeps_every_report_in(signed):
    signed.release()
    record_release(ledger_file(signed.workspace), replace(signed.ledger()[0], name="other"))
    path = ledger_file(signed.workspace)
    path.write_text(path.read_text("utf-8").replace('"n":60', '"n":65', 1), "utf-8")
    before = signed.released()
    with pytest.raises(DisclosureError, match="the chain is broken at line 1") as caught:
        signed.release()
    assert caught.value.exit_code == 13 and signed.released() == before


def test_where_the_source_is_gone_nothing_leaves(signed):
    seen = []
    (signed.workspace.root / "data" / "people.csv").unlink()
    with pytest.raises(DisclosureError, match="zh: the source is not there to be held against") as caught:
        signed.release(lambda folder, *, known: seen.append(known) or [])
    assert caught.value.exit_code == 13 and not seen and signed.ledger() == []


def test_the_scan_knows_the_identifiers_of_the_source(signed):
    pupils = [f"pupil-{row:04d}" for row in range(60)]
    lines = ["pupil_pid,item_1", *(f"{pupil},1" for pupil in pupils)]
    (signed.workspace.root / "data" / "people.csv").write_text("\n".join(lines) + "\n", "utf-8")
    seen = []
    signed.release(lambda folder, *, known: seen.append([kind for kind, _ in known.in_text(f"see {pupils[7]}.")]) or [])
    assert seen == [["known_id"]] * 2


def test_the_real_scanner_lets_the_report_out(signed):
    assert signed.release(scanner.scan).new


class Killed:
    """Counts what reaches the disk, and ends the process at one of these steps, half way through a line."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int) -> None:
        self.left = last
        for module, name in (
            (os, "fsync"),
            (os, "replace"),
            (os, "write"),
            (os, "rename"),
            (Path, "rename"),
            (Path, "unlink"),
        ):
            patch.setattr(module, name, self.stepped(getattr(module, name), half=name == "write"))

    def stepped(self, act: Callable, *, half: bool) -> Callable:
        def one(*given, **named):
            self.left -= 1
            if self.left < 0:
                if half:
                    act(given[0], bytes(given[1])[: len(given[1]) // 2])
                os._exit(9)
            return act(*given, **named)

        return one


def killed_at(desk: Desk, step: int) -> bool:
    """Publishes in a process of its own that ends at a step; False where it came to its end before."""
    child = os.fork()
    if not child:
        signal.alarm(60)
        with pytest.MonkeyPatch.context() as patch:
            Killed(patch, step)
            try:
                desk.release()
            except BaseException:
                os._exit(1)
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 9), code
    return code == 9


def test_a_death_at_any_step_leaves_no_page_that_the_ledger_does_not_know(signed, tmp_path):
    states = set()
    for step in range(200):
        shutil.copytree(signed.workspace.root, tmp_path / str(step))
        desk = Desk(Bench(tmp_path / str(step)))
        died = killed_at(desk, step)
        known, out = len(desk.ledger()), [path for path in desk.released() if path.name == "SHA256SUMS"]
        whole = review_release.copies(desk.workspace, "demo/tiny")
        assert known or not (out or whole), step
        assert not any(finding.broken for finding in chain.verify(review.reviews_file(desk.folder)))
        states.add((known, len(reviews(desk.folder)) - 2, len(whole)))
        if died:
            assert desk.release().ledger == 1 and len(desk.ledger()) == 1
            assert len(review_release.copies(desk.workspace, "demo/tiny")) == 1
        shutil.rmtree(desk.workspace.root)
        if not died:
            break
    assert not died and states == {(0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1)}


def test_an_altered_file_of_reviews_is_no_review(desk):
    desk.approve("王敏"), desk.send_back("Li Hua")
    path = review.reviews_file(desk.folder)
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    path.write_text(path.read_text("utf-8").replace('"decision":"return"', '"decision":"approve"'), "utf-8")
    with pytest.raises(DisclosureError, match=r"demo/tiny: reviews.jsonl was altered at line 2") as caught:
        desk.release()
    assert caught.value.exit_code == 13
    path.unlink()
    chain.append(path, {"decision": "approve"})
    with pytest.raises(DisclosureError, match="holds an entry that is no review"):
        desk.approve("赵军")


def test_names_notes_and_reports_that_will_not_do(desk):
    for by, note, text in (
        (" \u200b", "checked", "--by: no name"), ("x" * 61, "checked", "--by: no name"), ("王敏", " ", "no reason is given"),
        ("王敏", "x" * 2001, "--note: too long"), ("王敏", "pupil 20250017 can be told", "--note: holds a long number"),
    ):  # fmt: skip
        with pytest.raises(ParamsError, match=text):
            desk.approve(by, note)
    for report in ("demo/none", "demo", "../city/params/demo", ".store/x", "published/demo", "demo/tiny.html"):
        with pytest.raises(ParamsError, match="no report"):
            review.decide(desk.workspace, report, decision="approve", by="王敏", note="checked")
    old = desk.folder / "2020-01-01-old"
    old.mkdir()
    with pytest.raises(ParamsError, match="run 2020-01-01-old is not the latest of this report"):
        review.decide(desk.workspace, old, decision="approve", by="王敏", note="checked")
    by_path = review.decide(desk.workspace, desk.run_folder("en"), decision="approve", by="王敏", note="checked")
    assert by_path.files == draft(desk.folder).sha256()


def test_the_author_is_the_one_given_else_of_the_environment_else_the_account(monkeypatch):
    monkeypatch.setenv("MHLIB_AUTHOR", " 陈晓 ")
    assert (review.author_of("赵军"), review.author_of()) == ("赵军", "陈晓")
    monkeypatch.delenv("MHLIB_AUTHOR")
    assert review.author_of("") == review.account() != ""


@pytest.mark.parametrize("page", [
    b"<p>no mark</p>", b"a" + MARK + b"b" + MARK, b"<!-- mhlib:draft -->\n" + MARK,
    MARK.replace(b"</p>", b"</p><p>4711</p>"), MARK.replace(b"Draft:", b"<script>Draft:"), MARK.replace(b"note", b"alert"),
    MARK.replace(b"\n<!-- /", b"<!-- /"),
])  # fmt: skip
def test_a_mark_that_is_not_the_templates_is_not_taken_off(page):
    with pytest.raises(DisclosureError, match=r"report.zh.html: the page does not carry one draft mark, whole"):
        without_mark(page, where="report.zh.html")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_taking_the_mark_off_leaves_every_other_byte(before, after):
    if b"mhlib:draft" not in before + after:
        assert without_mark(before + MARK + after, where="page") == before + after


PEOPLE = ("王敏", "Li Hua", "赵军", "陈晓")


@given(st.lists(st.tuples(st.sampled_from(["approve", "return", "published"]), st.sampled_from(PEOPLE),
                          st.sampled_from([b"now", b"then"])), max_size=12))  # fmt: skip
def test_approvals_stand_by_the_rule_whatever_came_in_which_order(acts):
    """Held against the rule as it is said: somebody stands who approved these bytes after the last return, but the author."""
    now = draft_of(b"now")
    found = [Review(decision=decision, by=by, account="x", note="n", authors=("陈晓",), files=draft_of(raw).sha256(),
                    unmarked={}) for decision, by, raw in acts]  # fmt: skip
    last = max((place for place, act in enumerate(acts) if act[0] == "return"), default=-1)
    wanted = {by for place, (decision, by, raw) in enumerate(acts)
              if decision == "approve" and raw == b"now" and by != "陈晓" and place > last}  # fmt: skip
    got = [one.by for one in standing(found, now)]
    assert set(got) == wanted and len(got) == len(wanted)
    assert any("approvals stand" in text for text in lacking(now, found)) == (len(wanted) < 2)


def draft_of(raw: bytes) -> Draft:
    return Draft(label="demo/tiny", folder=Path("none"), runs={"zh": "r", "en": "r"}, audience="public", authors=("陈晓",),
                 files={"report.zh.html": raw + MARK}, problems=())  # fmt: skip


@given(st.text(max_size=20))
def test_a_name_is_compared_without_spaces_case_or_width(name):
    assert person(f" {name} ") == person(name) == person(person(name))


@pytest.fixture
def mhlib(desk, monkeypatch, capsys):
    from mhlib.__main__ import main

    monkeypatch.setattr(Workspace, "here", classmethod(lambda cls: desk.workspace))
    monkeypatch.setattr(review_release, "scanner", lambda: clean)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mhlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return call


def test_the_command_line_signs_and_publishes(mhlib, desk):
    assert mhlib("publish", "demo/tiny")[0] == 13
    code, out, _ = mhlib("review", "demo/tiny", "--approve", "--by", "王敏", "--note", "checked")
    assert code == 0 and out.startswith("approve by 王敏\n") and "1 of 2 approvals stand" in out
    code, _, err = mhlib("review", "demo/tiny", "--approve", "--by", "王敏", "--note", "again")
    assert code == 13 and "this person has approved these pages before" in err and "Traceback" not in err
    assert mhlib("review", "demo/tiny", "--approve", "--by", "Li Hua", "--note", "checked")[0] == 0
    code, out, _ = mhlib("publish", "demo/tiny")
    assert code == 0 and out.startswith("published: reports/published/demo/tiny/2026-03-20-")
    assert "\nrelease ledger: entry 1\n" in out
    assert "from one account of this machine" in out
    code, out, _ = mhlib("review", "demo/tiny", "--return", "--by", "Li Hua", "--note", "a wrong school type")
    assert code == 0 and "a published copy stands: reports/published/demo/tiny/" in out
    code, out, _ = mhlib("review", "demo/tiny")
    assert code == 0 and out.count("\tapprove\t") == 2 and "the return by Li Hua voided those before it" in out
    end = chain.head(review.reviews_file(desk.folder))
    assert out.endswith(f"reviews.jsonl: 4 entries, head {end.sha256}\n")
    assert mhlib("publish", "demo/tiny")[0] == 13
    assert mhlib("review", "demo/tiny", "--approve", "--note", "checked")[0] == 10


def test_only_the_gates_own_errors_reach_a_reviewer(desk):
    for path in desk.folder.glob("*/run.json"):
        path.write_text("{", "utf-8")
    with pytest.raises(MhlibError, match=r"run.json is not as a run leaves it; run the report again"):
        desk.approve("王敏")


@pytest.mark.parametrize("name", ["privacy.md", "privacy.zh.md"])
def test_the_page_for_the_data_officer_states_the_numbers_of_the_policies(name):
    from mhlib.report.disclosure import ONE_DECIMAL_FROM, POLICIES
    from mhlib.report.rounding import COARSER

    text = (Path(__file__).resolve().parents[2] / "docs" / name).read_text("utf-8")
    rows = [re.findall(r"\d(?:[\d,]*\d)?", line) for line in text.splitlines() if line.startswith("|")]
    public, closed = POLICIES["public"], POLICIES["closed"]
    smallest = [public.min_cell, 0, public.min_cell - 1, closed.min_cell, 0, closed.min_cell - 1]
    assert [str(number) for number in smallest] in rows
    assert [str(public.min_denominator), f"{ONE_DECIMAL_FROM:,}", f"{ONE_DECIMAL_FROM:,}", str(public.round_to)] in rows
    coarser = [f"{number:,}" for size, step in COARSER for number in (step, size)]
    assert [str(public.round_to), *coarser] in rows and [str(public.min_cell), str(closed.min_cell)] in rows


def test_the_page_for_the_data_officer_says_the_same_in_both_languages():
    docs = Path(__file__).resolve().parents[2] / "docs"
    english, chinese = ((docs / name).read_text("utf-8") for name in ("privacy.md", "privacy.zh.md"))
    for sign in ("## ", "- **", "|"):
        counts = [sum(line.startswith(sign) for line in text.splitlines()) for text in (english, chinese)]
        assert counts[0] == counts[1] > 5, sign
