"""Cities made once for all tests of the generator."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from mhlib.data import synthetic


@dataclass(frozen=True)
class Made:
    folder: Path
    truth_folder: Path
    manifest: synthetic.Manifest

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def truth(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.truth_folder / f"{name}.parquet")


@pytest.fixture(scope="session")
def make(tmp_path_factory):
    def made(scale: str, name: str = "one", **options) -> Made:
        root = tmp_path_factory.mktemp("synthetic")
        folder, truth = root / "tables" / name, root / "truth" / name
        manifest = synthetic.simulate(scale, destination=folder, truth_destination=truth, **options)
        return Made(folder, truth, manifest)

    return made


@pytest.fixture(scope="session")
def small(make) -> Made:
    return make("small")


@pytest.fixture(scope="session")
def city(make) -> Made:
    return make("city")
