"""`mhlib pseudonymise` and `mhlib anonymity` as a data officer runs them."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]
KEY = hashlib.sha256(b"a key for tests only").hexdigest()


@pytest.fixture
def desk(tmp_path):
    """A raw GB18030 extract with leading zeros, a key in a folder of its own, and the command."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "keys" / "key").write_text(KEY)
    (tmp_path / "keys" / "key").chmod(0o600)
    rows = 60
    frame = pd.DataFrame({
        "学号": [f"00202500{row:02d}" for row in range(rows)], "姓名": [f"王{chr(0x4E00 + row)}" for row in range(rows)],
        "学校": ["第一中学", "第二中学"] * (rows // 2), "性别": ["男", "男", "女", "女"] * (rows // 4),
        "出生日期": ["2012-03-20"] * rows, "备注": ["无"] * rows,
    })  # fmt: skip
    frame.to_csv(tmp_path / "raw.csv", index=False, encoding="gb18030")

    def call(*arguments: object, **environment: str) -> tuple[int, str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("MHLIB_")}
        done = subprocess.run([sys.executable, "-m", "mhlib", *map(str, arguments)], capture_output=True, text=True,
                              cwd=tmp_path, env=clean | {"PYTHONPATH": str(ROOT)} | environment)  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    call.root = tmp_path
    return call


ASKED = ("raw.csv", "data/spring.csv", "--columns", "pupil_pid=学号,school_pid=学校", "--birth", "出生日期", "--as-of",
         "2026-03-20", "--drop", "备注")  # fmt: skip


def test_a_raw_extract_becomes_one_without_names(desk):
    code, out, err = desk("pseudonymise", *ASKED, "--key", "keys/key")
    assert (code, err) == (0, "")
    written = desk.root / "data" / "spring.csv"
    assert written.stat().st_mode & 0o777 == 0o600
    frame = pd.read_csv(written, dtype=str)
    assert list(frame) == ["pupil_pid", "school_pid", "性别", "age_band"] and len(frame) == 60
    text = written.read_text("utf-8") + out
    assert not any(part in text for part in ("王", "00202500", "20250001", "第一中学", "2012-03", KEY[:16]))
    lines = out.splitlines()
    assert "dropped\t姓名\t60" in lines and "distinct numbers\tpupil_pid\t60" in lines
    assert "school_pid × 性别 × age_band\t60\t4\t15\tnone\tnone" in lines
    assert lines[-1] == "pseudonymise: spring.csv written, 60 rows, 4 columns"


def test_the_key_from_the_environment_gives_the_same_file(desk):
    assert desk("pseudonymise", *ASKED, "--key", "keys/key")[0] == 0
    first = (desk.root / "data" / "spring.csv").read_bytes()
    assert desk("pseudonymise", *ASKED, "--force", MHLIB_KEY=KEY)[0] == 0
    assert (desk.root / "data" / "spring.csv").read_bytes() == first
    assert desk("pseudonymise", *ASKED, "--force", "--domain", "autumn", MHLIB_KEY=KEY)[0] == 0
    other = pd.read_csv(desk.root / "data" / "spring.csv", dtype=str)
    assert first.decode().splitlines()[1].split(",")[0] not in set(other["pupil_pid"])


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [((), 10, "key: there is none"), (("--key", "keys/open"), 10, "open: others can open the key (mode 0644)"),
     (("--key", "data/key"), 10, "key: the key lies with the data"),
     (("--key", "keys/key", "--least-k", "20"), 13, "spring.csv: groups of fewer than 20 people by school_pid × 性别"),
     (("--key", "keys/key", "--drop", "别名"), 11, "raw.csv: no column 别名"),
     (("--key", "keys/key", "--as-of", "20.3.2026"), 10, "--as-of: it is no day"),
     (("--key", "keys/key", "--quasi", "学校"), 11, "no column 学校")],
)  # fmt: skip
def test_what_is_wrong_is_told_and_nothing_is_written(desk, changes, code, text):
    for name, mode in (("keys/open", 0o644), ("data/key", 0o600)):
        (desk.root / name).write_text(KEY)
        (desk.root / name).chmod(mode)
    ended, out, err = desk("pseudonymise", *ASKED, *changes)
    assert ended == code and text in err and "Traceback" not in err
    assert KEY[:16] not in out + err
    assert not (desk.root / "data" / "spring.csv").exists()


def test_neither_the_raw_file_nor_an_older_extract_is_written_over(desk):
    raw = (desk.root / "raw.csv").read_bytes()
    (desk.root / "data" / "spring.csv").write_text("kept")
    assert "it is there already" in desk("pseudonymise", *ASKED, "--key", "keys/key")[2]
    code, _, err = desk("pseudonymise", "raw.csv", *("raw.csv", *ASKED[2:]), "--key", "keys/key", "--force")
    assert code == 10 and "it is the raw extract itself" in err
    assert "only CSV is written" in desk("pseudonymise", "raw.csv", *("out.xlsx", *ASKED[2:]), "--key", "keys/key")[2]
    assert (desk.root / "raw.csv").read_bytes() == raw
    assert (desk.root / "data" / "spring.csv").read_text() == "kept"


def test_anonymity_of_any_file(desk):
    pd.DataFrame({"school": ["A"] * 30, "sex": ["f"] * 28 + ["m"] * 2, "at": range(30)}).to_csv(desk.root / "a.csv")
    code, out, _ = desk("anonymity", "a.csv", "--quasi", "school", "--quasi", "school,sex")
    lines = out.splitlines()
    assert code == 0 and "school\t30\t1\t30\tnone\tnone" in lines
    assert "school × sex\t30\t2\t< 10\t< 10 people\t< 10 people" in lines
    assert "at\t\t\t\tmost rows have their own\t" in lines
    code, out, err = desk("anonymity", "a.csv", "--least-k", "5")
    assert code == 13 and "a.csv: groups of fewer than 5 people by school × sex" in err
    pd.DataFrame({"item": range(30)}).to_csv(desk.root / "b.csv", index=False)
    assert desk("anonymity", "b.csv")[0] == 0
    assert "--least-k: no column is known that others may know" in desk("anonymity", "b.csv", "--least-k", "5")[2]
