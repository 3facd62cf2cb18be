"""What the doctor says of the two chains."""

import pytest

from mhlib.workbench import chain, doctor, releases
from mhlib.workbench.workspace import Workspace


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    monkeypatch.delenv("MHLIB_LEDGER", raising=False)
    for name in ("reports", "data"):
        (tmp_path / name).mkdir()
    return Workspace(tmp_path)


def said(workspace: Workspace, name: str) -> tuple[str, bool]:
    return next((text, ok) for what, text, ok in doctor.findings(workspace) if what == name)


def test_no_chain_yet_is_no_fault(workspace):
    assert said(workspace, "release ledger") == said(workspace, "access log") == ("none yet", True)


@pytest.mark.parametrize(
    ("name", "file"), [("release ledger", releases.ledger_file), ("access log", releases.access_file)]
)
def test_each_chain_is_verified_by_itself(workspace, name, file):
    for what in "ab":
        line = chain.append(file(workspace), {"what": what})
    text, ok = said(workspace, name)
    assert ok and text.startswith("2 ") and text.endswith(f"whole, head {line.sha256[:16]}")
    raw = file(workspace).read_bytes()
    file(workspace).write_bytes(raw + b'{"number":3,"at"')
    text, ok = said(workspace, name)
    assert ok and "line 3 is torn" in text
    file(workspace).write_bytes(raw.replace(b'"a"', b'"A"'))
    text, ok = said(workspace, name)
    assert not ok and text.startswith("broken at line 1: the entry does not match its own sum")
    other = {"release ledger": "access log", "access log": "release ledger"}[name]
    assert said(workspace, other) == ("none yet", True)


def test_a_chain_that_cannot_be_read_is_a_fault(workspace):
    releases.ledger_file(workspace).mkdir(parents=True)
    text, ok = said(workspace, "release ledger")
    assert not ok and text.startswith("cannot be read (")
