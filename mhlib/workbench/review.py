"""Sign-off: two people, neither of them the author, approve the very bytes of a public report.

Reviews are entries of one hash-chained file beside the report's runs, `reviews.jsonl`, so that they outlive a run that
is made again. An approval stands while every file of the draft, in both languages, is what was approved, and while
nobody has returned the report since. Names are taken on trust: the account of the machine is written beside each.
"""

from __future__ import annotations

import getpass
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from mhlib.errors import DisclosureError, ParamsError
from mhlib.workbench import chain
from mhlib.workbench.publish import lock
from mhlib.workbench.review_draft import SIGNED_FOR, Draft, draft, report_folder, sums
from mhlib.workbench.workspace import Workspace

NEEDED = 2
LONGEST_NAME, LONGEST_NOTE = 60, 2000
# Digits in a row as in a pupil's number, a telephone or an identity card.
IDENTIFIER = re.compile(r"\d{6,}")
Decision = Literal["approve", "return", "published"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One entry.

    Attributes
    ----------
    decision : {"approve", "return", "published"}
    by : str
        Who decided, as named.
    account : str
        Account of the machine from which it was entered.
    note : str
        Why; for the bureau only.
    authors : tuple of str
        Authors of the draft at that time.
    files : dict of str to str
        SHA-256 of each file of the draft.
    unmarked : dict of str to str
        SHA-256 of each file as it would be published.
    at : str
        UTC, ISO 8601; given by the chain.
    """

    decision: Decision
    by: str
    account: str
    note: str
    authors: tuple[str, ...]
    files: dict[str, str]
    unmarked: dict[str, str]
    at: str = ""


def person(name: str) -> str:
    """A name as it is compared: 李　华 and 李华, Li Hua and LI HUA are one person."""
    plain, before = name, None
    while plain != before:  # folding the case may leave signs that another folding takes further
        before, plain = plain, unicodedata.normalize("NFKC", plain).casefold()
        plain = "".join(sign for sign in plain if not sign.isspace() and unicodedata.category(sign) not in ("Cf", "Cc"))
    return plain


def account() -> str:
    """Account of the machine under which this process runs."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def author_of(given: str | None = None) -> str:
    """Who makes a run: as given, else MHLIB_AUTHOR, else the account."""
    return (given or os.environ.get("MHLIB_AUTHOR") or account()).strip()


def reviews_file(folder: Path) -> Path:
    """Where the reviews of a report lie."""
    return folder / "reviews.jsonl"


def reviews(folder: Path) -> list[Review]:
    """Every review of a report, in order.

    Raises
    ------
    DisclosureError
        If the file was altered, so that no review in it can be trusted.
    """
    path, label = reviews_file(folder), f"{folder.parent.name}/{folder.name}"
    broken = [finding for finding in chain.verify(path) if finding.broken]
    if broken:
        raise DisclosureError(label, f"{path.name} was altered at line {broken[0].line}: {broken[0].problem}",
                              remedy="keep a copy, find out who changed it, restore the file or have all signed again")  # fmt: skip
    try:
        return [_parsed(line) for line in chain.read(path)]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DisclosureError(label, f"{path.name} holds an entry that is no review",
                              remedy="restore the file or have all signed again") from None  # fmt: skip


def standing(found: Sequence[Review], now: Draft) -> list[Review]:
    """Approvals that stand, one a person: of these very bytes, since the last return, by nobody who is an author."""
    valid: dict[str, Review] = {}
    files = now.sha256()
    for one in found:
        if one.decision == "return":
            valid.clear()
        authors = {person(name) for name in (*now.authors, *one.authors)}
        if one.decision == "approve" and one.files == files and person(one.by) not in authors:
            valid.setdefault(person(one.by), one)
    return list(valid.values())


def decide(
    workspace: Workspace, report: str | Path, *, decision: Literal["approve", "return"], by: str, note: str,
    at: datetime | None = None, wait: float = 5,
) -> Review:  # fmt: skip
    """Write one person's decision on a report as it stands.

    Parameters
    ----------
    report : str or Path
        `<set>/<name>`, or a path to the report or to its latest run.
    decision : {"approve", "return"}
        A return voids every approval before it.
    by : str
        Who decides.
    note : str
        Why, in a sentence; it must name no pupil.
    wait : float
        Seconds to wait for a run or another reviewer.

    Raises
    ------
    ParamsError
        If there is no such report, or name or note will not do.
    DisclosureError
        If this person, or this report as it stands, cannot be approved.
    """
    folder, name, note = report_folder(workspace, report), _name(by), _note(note)
    with lock(folder, wait=wait):
        now = draft(folder)
        before = reviews(folder)
        if decision == "approve":
            _may_approve(now, before, name)
        unmarked = sums(now.unmarked()) if decision == "approve" else {}
        one = Review(decision=decision, by=name, account=account(), note=note, authors=now.authors, files=now.sha256(),
                     unmarked=unmarked)  # fmt: skip
        return record(folder, one, at=at)


def record(folder: Path, one: Review, *, at: datetime | None = None) -> Review:
    """Add a review to its chain; on the disk when this returns. The caller holds the report's lock."""
    entry = {"decision": one.decision, "by": one.by, "account": one.account, "note": one.note,
             "authors": list(one.authors), "files": one.files, "unmarked": one.unmarked}  # fmt: skip
    # Reviewers may work under accounts of their own: the group may write where the umask lets it.
    os.close(os.open(reviews_file(folder), os.O_WRONLY | os.O_CREAT, 0o660))
    return _parsed(chain.append(reviews_file(folder), entry, at=at))


def unfit(now: Draft) -> list[str]:
    """Why a report cannot be signed as it stands."""
    if now.audience and now.audience != SIGNED_FOR:
        return [f"its audience is {now.audience}; only a report with disclosure: {SIGNED_FOR} is signed and published"]
    return list(now.problems)


def lacking(now: Draft, found: Sequence[Review]) -> list[str]:
    """What a report lacks before it may be published, but for the scan."""
    missing, valid = unfit(now), standing(found, now)
    if len(valid) < NEEDED:
        missing.append(f"{len(valid)} of {NEEDED} approvals stand{_why_void(now, found, valid)}")
    elif not missing and any(one.unmarked != sums(now.unmarked()) for one in valid):
        missing.append("the draft mark is taken off otherwise than when it was approved: have it approved again")
    return missing


def overview(workspace: Workspace, report: str | Path) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Reviews of a report as a table, each with whether it stands."""
    folder = report_folder(workspace, report)
    now, found = draft(folder), reviews(folder)
    valid = standing(found, now)
    rows = [(one.at, one.decision, one.by, one.account, "yes" if one in valid else "", one.note) for one in found]
    rows += [("", "lacking", "", "", "", problem) for problem in lacking(now, found)]
    return ("at", "decision", "by", "account", "stands", "note"), rows


def head_line(workspace: Workspace, report: str | Path) -> str:
    """How far the chain of reviews has come: to be noted outside, so that entries cut off its end are missed."""
    end = chain.head(reviews_file(report_folder(workspace, report)))
    return f"reviews.jsonl: {end.number} entries, head {end.sha256}"


def _parsed(line: chain.Line) -> Review:
    entry: Mapping = line.entry
    return Review(
        decision=entry["decision"], by=entry["by"], account=entry["account"], note=entry["note"],
        authors=tuple(entry["authors"]), files=dict(entry["files"]), unmarked=dict(entry["unmarked"]), at=line.at,
    )  # fmt: skip


def _name(by: str) -> str:
    name = " ".join(unicodedata.normalize("NFKC", by).split())
    if not person(name) or len(name) > LONGEST_NAME:
        raise ParamsError("--by", "no name", allowed=f"the reviewer's name, at most {LONGEST_NAME} characters")
    return name


def _note(note: str) -> str:
    text = " ".join(note.split())
    if not text or len(text) > LONGEST_NOTE or IDENTIFIER.search(text):
        problem = (
            "no reason is given" if not text else "too long" if len(text) > LONGEST_NOTE else "holds a long number"
        )
        raise ParamsError("--note", problem, allowed=f"a sentence, at most {LONGEST_NOTE} characters",
                          remedy="name no pupil")  # fmt: skip
    return text


def _may_approve(now: Draft, before: Sequence[Review], name: str) -> None:
    if unfit(now):
        raise DisclosureError.of_many(now.label, unfit(now))
    if person(name) in {person(author) for author in now.authors}:
        raise DisclosureError(now.label, "its author may not approve it", allowed=f"{NEEDED} other people",
                              remedy="ask somebody else")  # fmt: skip
    if person(name) in {person(one.by) for one in standing(before, now)}:
        raise DisclosureError(now.label, "this person has approved these pages before",
                              allowed="one approval a person", remedy="ask somebody else")  # fmt: skip


def _why_void(now: Draft, found: Sequence[Review], valid: Sequence[Review]) -> str:
    """Why approvals that were given do not count."""
    last = max((place for place, one in enumerate(found) if one.decision == "return"), default=-1)
    since = [one for one in found[last + 1 :] if one.decision == "approve" and one not in valid]
    changed = [one for one in since if one.files != now.sha256()]
    told = []
    if changed:
        told.append(f"{len(changed)} were of other bytes")
    if last >= 0 and any(one.decision == "approve" for one in found[:last]):
        told.append(f"the return by {found[last].by} voided those before it")
    return f" ({'; '.join(told)})" if told else ""
