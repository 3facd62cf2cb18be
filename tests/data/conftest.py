"""A small synthetic city, made once for the session."""

from pathlib import Path

import pytest

from mhlib.data.synthetic import simulate


@pytest.fixture(scope="session")
def small_city(tmp_path_factory) -> Path:
    """Root of the synthetic sources; the city is `synthetic:small`, its truth lies beside the root."""
    root = tmp_path_factory.mktemp("city")
    simulate(
        "small", seed=11, destination=root / "synthetic" / "small", truth_destination=root / "synthetic-truth" / "small"
    )
    return root / "synthetic"
