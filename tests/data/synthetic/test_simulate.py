"""One entry, all or nothing, the same bytes for the same seed."""

import json
import re
import subprocess
import sys

import pytest

from mhlib.data import synthetic
from mhlib.data.synthetic import write
from mhlib.errors import ParamsError


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_seed_gives_the_same_bytes(small, make):
    again = make("small", name="again")
    assert content(small.folder) == content(again.folder)
    assert content(small.truth_folder) == content(again.truth_folder)


def test_another_seed_gives_another_city(small, make):
    other = make("small", name="other", seed=7)
    assert content(small.folder)["response.parquet"] != content(other.folder)["response.parquet"]


def test_one_tables_numbers_move_no_other(small, make):
    faulty = make("small", name="faulty", packs=["duplicates", "late_uploads", "double_counted_families"])
    changed = {name for name, data in content(small.folder).items() if content(faulty.folder)[name] != data}
    assert changed == {"response.parquet", "platform_upload.parquet", "parent_attendance.parquet", "manifest.json"}


def test_the_manifest_lists_the_rows_and_says_nothing_of_the_clock(small):
    written = json.loads((small.folder / "manifest.json").read_text(encoding="utf-8"))
    assert written["tables"] == small.manifest.tables
    assert {path.stem for path in small.folder.glob("*.parquet")} == set(written["tables"])
    assert all(len(small.table(name)) == rows for name, rows in written["tables"].items())
    assert written["notice"] == "模拟数据，不代表任何真实地区"
    assert not re.search(r"second|time|host|/tmp", json.dumps(written))


def test_is_current_knows_scale_seed_packs_and_generator(small, tmp_path):
    assert synthetic.is_current(small.folder, "small")
    assert not synthetic.is_current(small.folder, "small", seed=2)
    assert not synthetic.is_current(small.folder, "small", packs=["duplicates"])
    assert not synthetic.is_current(small.folder, "city")
    assert not synthetic.is_current(tmp_path, "small")


@pytest.mark.parametrize(
    ("scale", "packs", "said"),
    [("ctiy", [], "unknown scale ctiy.*did you mean city"), ("small", ["duplicate"], "did you mean duplicates")],
)
def test_a_misspelt_name_is_refused(tmp_path, scale, packs, said):
    with pytest.raises(ParamsError, match=said):
        synthetic.simulate(scale, packs=packs, destination=tmp_path / "a", truth_destination=tmp_path / "b")
    assert not list(tmp_path.iterdir())


def test_the_truth_cannot_lie_within_the_city(tmp_path):
    with pytest.raises(ParamsError, match="the truth would lie within the city"):
        synthetic.simulate("small", destination=tmp_path / "a", truth_destination=tmp_path / "a" / "truth")


def test_a_failed_run_leaves_the_former_city(tmp_path, monkeypatch):
    where = {"destination": tmp_path / "city", "truth_destination": tmp_path / "truth"}
    synthetic.simulate("minimal", **where)
    before = content(tmp_path / "city")

    def broken(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(write, "city_tables", broken)
    with pytest.raises(OSError, match="no space"):
        synthetic.simulate("small", **where)
    assert content(tmp_path / "city") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["city", "truth"]


def test_a_city_replaces_the_former_one(tmp_path):
    where = {"destination": tmp_path / "city", "truth_destination": tmp_path / "truth"}
    synthetic.simulate("minimal", **where)
    synthetic.simulate("small", **where)
    assert not (tmp_path / "city" / "roster.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["city", "truth"]


def test_progress_goes_up_to_one(make):
    steps = []
    make("small", name="heard", progress=lambda step, share: steps.append(share))
    assert steps == sorted(steps) and steps[-1] == 1.0


MEASURED = """
import resource, sys, time
from pathlib import Path
from mhlib.data import synthetic

start, root = time.monotonic(), Path(sys.argv[1])
synthetic.simulate("city", destination=root / "city", truth_destination=root / "truth")
print(time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
def test_the_city_is_made_within_its_time_and_memory(tmp_path, root):
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(tmp_path)], capture_output=True, text=True, check=True, cwd=root
    )
    seconds, peak = map(float, done.stdout.split())
    # ru_maxrss is in kilobytes on Linux and in bytes elsewhere.
    assert seconds < 30
    assert peak / (1e6 if sys.platform == "linux" else 1e9) < 1.5
