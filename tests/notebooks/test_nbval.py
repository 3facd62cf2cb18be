"""nbval runs every notebook with its own parameters, on a small city that stands where the demo city would."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mhlib.data.synthetic import simulate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def small_city(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("nbval")
    simulate("small", seed=20260901, destination=folder / "synthetic" / "city", truth_destination=folder / "truth")
    return folder / "synthetic"


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_cell_runs_and_marked_outputs_agree(notebook, small_city, tmp_path):
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-cell-timeout=120"]
    command += ["--nbval-current-env", "-c", os.devnull, f"--rootdir={tmp_path}", "-p", "no:cacheprovider", "-q"]
    environment = os.environ | {"MHLIB_SYNTHETIC": str(small_city), "MHLIB_HOME": str(ROOT)}
    done = subprocess.run([*command, str(notebook)], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
