"""Fixtures that every test folder may use."""

import os
from pathlib import Path

import pytest

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


@pytest.fixture
def rng():
    import numpy as np

    return np.random.default_rng(20261124)
