"""What the tests of several evaluations read."""

from pathlib import Path

import pytest

from mhlib.data.synthetic import simulate


@pytest.fixture(scope="session")
def small(once) -> Path:
    """Root of the synthetic sources; the small city is `synthetic:small`, made once for every file and worker."""
    return once("small", lambda root: simulate("small", destination=root / "small", truth_destination=root / "truth"))
