"""What the fixture `once` promises to the tests of every worker."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest


def test_those_who_ask_at_once_wait_for_one_folder(once, tmp_path):
    """Each call opens the lock anew, so that threads stand for workers."""
    asked = []

    def slowly(folder: Path) -> None:
        asked.append(folder)
        time.sleep(0.3)
        (folder / "whole").touch()

    def seen(_) -> list[str]:
        return [path.name for path in once(f"sharing-{tmp_path.name}", slowly).iterdir()]

    with ThreadPoolExecutor(2) as workers:
        assert list(workers.map(seen, range(2))) == [["whole"]] * 2
    assert len(asked) == 1


def test_a_folder_left_half_filled_is_made_anew(once, tmp_path):
    def broken(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("stopped midway")

    name = f"sharing-{tmp_path.name}"
    with pytest.raises(ValueError, match="midway"):
        once(name, broken)
    assert [path.name for path in once(name, lambda folder: (folder / "whole").touch()).iterdir()] == ["whole"]
