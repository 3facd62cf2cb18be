"""The chain: what binds an entry, what a change shows, writers killed at any moment, and two writers at once."""

import fcntl
import hashlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import WorkbenchError
from mhlib.workbench import chain
from mhlib.workbench.chain import ChainHead

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def three(path: Path) -> list[bytes]:
    for what in ("one", "two", "three"):
        chain.append(path, {"what": what}, at=NOON)
    return path.read_bytes().splitlines(keepends=True)


def kinds(path: Path) -> list[tuple[int, str]]:
    return [(finding.line, finding.kind) for finding in chain.verify(path)]


def test_each_line_holds_the_sum_of_the_one_before(tmp_path):
    raw = three(tmp_path / "c.jsonl")
    parsed = [json.loads(line) for line in raw]
    assert [line["number"] for line in parsed] == [1, 2, 3]
    assert parsed[0]["previous"] == hashlib.sha256(b"").hexdigest()
    assert parsed[1]["previous"] == hashlib.sha256(raw[0]).hexdigest()
    assert parsed[2]["previous"] == hashlib.sha256(raw[1]).hexdigest()
    own = parsed[2].pop("sha256")
    assert own == hashlib.sha256(json.dumps(parsed[2], separators=(",", ":")).encode()).hexdigest()
    assert parsed[2]["at"] == "2026-11-26T12:00:00+00:00"


def test_a_whole_chain_reads_back_and_has_no_findings(tmp_path):
    path = tmp_path / "folder" / "c.jsonl"
    three(path)
    assert [line.entry["what"] for line in chain.read(path)] == ["one", "two", "three"]
    assert chain.verify(path) == []
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_no_file_is_an_empty_chain(tmp_path):
    path = tmp_path / "c.jsonl"
    assert (chain.read(path), chain.verify(path), chain.head(path).number) == ([], [], 0)
    assert not path.exists()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda raw: [raw[0], raw[1].replace(b"two", b"2wo"), raw[2]], [(2, "changed"), (3, "unlinked")]),
        (lambda raw: [raw[0], raw[2]], [(2, "unlinked"), (2, "misnumbered")]),
        (lambda raw: [raw[1], raw[0], raw[2]], [(1, "unlinked"), (1, "misnumbered"), (2, "unlinked"),
                                                (2, "misnumbered"), (3, "unlinked"), (3, "misnumbered")]),
        (lambda raw: [raw[0], b"nonsense\n", raw[1], raw[2]], [(2, "unreadable"), (3, "unlinked")]),
        (lambda raw: [raw[0], raw[1][:20], raw[2]], [(2, "unreadable")]),
        (lambda raw: [raw[0], raw[1], raw[2].replace(b"three", b"thr33")], [(3, "changed")]),
        (lambda raw: [raw[0], raw[1], raw[2].replace(b"three", b"thr\\u0065e")], [(3, "changed")]),
        (lambda raw: [raw[0], raw[1], raw[2].replace(b":3,", b": 3,")], [(3, "changed")]),
    ],
)  # fmt: skip
def test_a_changed_file_is_broken_and_says_where(tmp_path, change, found):
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"".join(change(three(path))))
    assert kinds(path) == found
    assert all(finding.broken for finding in chain.verify(path))
    with pytest.raises(WorkbenchError, match=rf"c\.jsonl: the chain is broken at line {found[0][0]}: .*keep a copy"):
        chain.read(path)


@pytest.mark.parametrize(("was", "put"), [(b"three", b"thr33"), (b'"three"', b'"three')])
def test_nothing_is_added_to_an_entry_that_was_altered(tmp_path, was, put):
    path = tmp_path / "c.jsonl"
    three(path)
    path.write_bytes(path.read_bytes().replace(was, put))
    with pytest.raises(WorkbenchError, match="the last entry was altered"):
        chain.append(path, {})


@pytest.mark.parametrize("kept", [1, 20, -3, -2])
def test_a_torn_end_is_named_and_bound_by_the_next_entry(tmp_path, kept):
    path = tmp_path / "c.jsonl"
    raw = three(path)
    path.write_bytes(raw[0] + raw[1] + raw[2][:kept])
    assert kinds(path) == [(3, "torn")] and not chain.verify(path)[0].broken
    assert "never acknowledged" in chain.verify(path)[0].problem
    chain.append(path, {"what": "after"}, at=NOON)
    assert kinds(path) == [(3, "torn")], "it stays visible"
    assert [(line.number, line.entry["what"]) for line in chain.read(path)] == [(1, "one"), (2, "two"), (3, "after")]
    text = path.read_bytes()
    path.write_bytes(text.replace(raw[2][:kept] + b"\n", b""))
    assert (3, "unlinked") in kinds(path), "and cannot be tidied away"


def test_two_torn_ends_in_a_row(tmp_path):
    path = tmp_path / "c.jsonl"
    raw = three(path)
    path.write_bytes(raw[0] + raw[1][:30] + b"\n" + raw[2][:40])
    chain.append(path, {"what": "after"})
    assert kinds(path) == [(2, "torn")]
    assert chain.read(path)[1].torn == 30 + 1 + 40
    path.write_bytes(path.read_bytes().replace(raw[1][:30], raw[1][:29] + b"x", 1))
    assert kinds(path) == [(2, "torn"), (4, "unlinked")]


def test_a_line_without_its_end_is_whole(tmp_path):
    path = tmp_path / "c.jsonl"
    raw = three(path)
    path.write_bytes(b"".join(raw).rstrip(b"\n"))
    assert chain.verify(path) == []
    chain.append(path, {"what": "four"})
    assert chain.verify(path) == [] and len(chain.read(path)) == 4


def test_cutting_the_end_off_shows_only_against_a_head_kept_outside(tmp_path):
    path = tmp_path / "c.jsonl"
    raw = three(path)
    noted = chain.head(path)
    assert chain.verify(path, head=noted) == []
    chain.append(path, {"what": "four"})
    assert chain.verify(path, head=noted) == []
    path.write_bytes(raw[0] + raw[1])
    assert chain.verify(path) == []
    assert [finding.kind for finding in chain.verify(path, head=noted)] == ["head"]
    path.unlink()
    three_others = [chain.append(path, {"what": "forged"}) for _ in range(3)]
    assert three_others[-1].number == noted.number
    assert chain.verify(path, head=noted)[0].broken


@pytest.mark.parametrize("entry", [{"a": float("nan")}, {"a": {1, 2}}])
def test_what_json_cannot_hold_is_refused_and_leaves_the_file_alone(tmp_path, entry):
    path = tmp_path / "c.jsonl"
    three(path)
    before = path.read_bytes()
    with pytest.raises(WorkbenchError, match="the entry is no plain JSON"):
        chain.append(path, entry)
    assert path.read_bytes() == before


def test_a_held_lock_is_waited_for_and_then_left(tmp_path):
    path = tmp_path / "c.jsonl"
    three(path)
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(WorkbenchError, match="another process is writing this file"):
            chain.append(path, {}, wait=0.05)
    chain.append(path, {}, wait=0.05)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "c.jsonl"
    three(path)
    before = path.read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path; from mhlib.workbench import chain\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100},) * 2)\n"
        "try: chain.append(Path(sys.argv[1]), {'what': 'x' * 5000})\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("WorkbenchError c.jsonl: cannot be written"), done.stderr
    assert path.read_bytes() == before


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(
        st.dictionaries(st.text(max_size=8), st.text(max_size=30) | st.integers() | st.none()), max_size=5
    ),
    data=st.data(),
)
def test_any_one_byte_changed_inside_is_found(tmp_path_factory, entries, data):
    path = tmp_path_factory.mktemp("chain") / "c.jsonl"
    for entry in [*entries, {"last": 1}]:
        chain.append(path, entry)
    assert [line.entry for line in chain.read(path)] == [*entries, {"last": 1}]
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 2))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw))
    assert chain.verify(path)


WRITER = """
import sys, time
from pathlib import Path
from mhlib.workbench import chain
path, name, size, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
path.with_name(f"{name}.ready").touch()
while not all(path.with_name(f"{other}.ready").exists() for other in (name, name[:-1] + "ab"["ab".index(name[-1]) - 1])):
    time.sleep(0.001)
for number in range(count):
    chain.append(path, {"writer": name, "turn": number, "weight": "x" * size}, wait=60)
    print(number, flush=True)
    time.sleep(float(sys.argv[5]))
"""


def writer(path: Path, name: str, size: int, count: int, *, pause: float = 0) -> subprocess.Popen:
    command = [sys.executable, "-c", WRITER, str(path), name, str(size), str(count), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_two_writers_never_interleave(tmp_path):
    path = tmp_path / "c.jsonl"
    both = [writer(path, name, 3000, 150, pause=0.001) for name in "ab"]
    for one in both:
        one.communicate(timeout=120)
        assert one.returncode == 0
    lines = chain.read(path)
    assert chain.verify(path) == [] and len(lines) == 300
    for name in "ab":
        assert [line.entry["turn"] for line in lines if line.entry["writer"] == name] == list(range(150))
    writers = [line.entry["writer"] for line in lines]
    assert sum(one != other for one, other in itertools.pairwise(writers)) > 2, "they did write at the same time"


def test_writers_killed_at_any_moment_lose_nothing_that_was_acknowledged(tmp_path):
    """Large lines make torn ends likely; small ones make many entries."""
    path, rng = tmp_path / "c.jsonl", random.Random(20261126)
    acknowledged: dict[str, int] = {}
    for turn in range(10):
        names = [f"{turn}{side}" for side in "ab"]
        both = [writer(path, name, size, 10_000) for name, size in zip(names, (200, 1_000_000), strict=True)]
        told = {names[0]: both[0].stdout.readline()}
        time.sleep(rng.uniform(0, 0.25))
        for one in rng.sample(both, 2):
            one.send_signal(signal.SIGKILL)
        for name, one in zip(names, both, strict=True):
            said = (told.get(name, "") + one.communicate(timeout=60)[0]).split()
            acknowledged[name] = len(said)
        assert not [finding for finding in chain.verify(path) if finding.broken]
    chain.append(path, {"writer": "end", "turn": 0})
    findings, lines = chain.verify(path), chain.read(path)
    assert {finding.kind for finding in findings} <= {"torn"}
    for name, least in acknowledged.items():
        turns = [line.entry["turn"] for line in lines if line.entry["writer"] == name]
        assert turns == list(range(len(turns))) and len(turns) >= least


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_a_writer_killed_inside_its_write(tmp_path, share):
    """The kernel hands over a part of the line, then the process is killed: the worst moment, made certain."""
    path = tmp_path / "c.jsonl"
    three(path)
    code = (
        "import os, signal, sys; from pathlib import Path; from mhlib.workbench import chain\n"
        "whole = os.write\n"
        "def part(handle, raw):\n"
        f"    whole(handle, bytes(raw)[: int(len(raw) * {share})])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.write = part\n"
        "chain.append(Path(sys.argv[1]), {'what': 'x' * 5000})\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert kinds(path) == ([(4, "torn")] if share else [])
    chain.append(path, {"what": "after"}, wait=0.05)
    assert [line.entry["what"] for line in chain.read(path)] == ["one", "two", "three", "after"]


def test_a_head_of_nothing_asks_for_nothing(tmp_path):
    assert chain.verify(tmp_path / "c.jsonl", head=ChainHead(0, "")) == []
