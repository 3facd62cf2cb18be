"""Fixtures that every test folder may use."""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# A worker computes on one thread, as a report does: threads beyond the cores only wait for each other. Before numpy is loaded.
os.environ.update(
    {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
)

from . import claims as claimed

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets with known answers; it is not part of the project."""
    folder = Path(os.environ.get("MHLIB_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the real data sets are not here; set MHLIB_SHARED_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`once(name, make)`: a folder filled by `make(folder)` in the first worker that asks; the others wait and share it.

    What lies in it is every test's: one that writes takes a copy.
    """
    own = tmp_path_factory.getbasetemp()
    # Each worker has a folder of its own within that of the session.
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("a") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if not done.exists():
                # A worker that failed or died has left a part behind.
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(20261124)


@pytest.fixture(autouse=True)
def figures_closed():
    """What one test drew is no burden of the next."""
    yield
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


def pytest_addoption(parser):
    parser.addoption(
        "--calibrate",
        action="store_true",
        help="run slow tests with every replicate and write docs/calibration.csv and .md",
    )


@pytest.fixture(scope="session")
def committed() -> set[tuple[str, str]]:
    """Test and claim of every row of the committed calibration table."""
    return {(row["test"], row["claim"]) for row in claimed.read_table()}


@pytest.fixture
def claims(request, committed):
    """Records what a slow test claims at the moment it asserts it (tests/claims.py)."""
    full = request.config.getoption("--calibrate")
    found = claimed.Claims(request.node.nodeid, full=full, known=None if full else committed)
    yield found
    request.node.user_properties += [("claim", row) for row in found.rows]
    assert found.rows, "a slow recovery test must claim something"


CLAIMED = []


def pytest_runtest_logreport(report):
    """Claims travel with the reports, so that they reach the session that writes from every worker."""
    if report.when == "teardown":
        CLAIMED.extend(value for name, value in report.user_properties if name == "claim")


def pytest_sessionfinish(session):
    if session.config.getoption("--calibrate") and CLAIMED and not hasattr(session.config, "workerinput"):
        rows = claimed.merged(claimed.read_table(), CLAIMED)
        claimed.TABLE.write_text(claimed.as_csv(rows), encoding="utf-8")
        claimed.PAGE.write_text(claimed.as_page(rows), encoding="utf-8")
