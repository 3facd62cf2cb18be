"""Every rendered report of every set, in both languages, holds nothing that leads to a person."""

import pytest

from mhlib.workbench.scanner import known_of, scan

from .conftest import REPORTS


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", REPORTS)
def test_a_rendered_report_leaks_nothing(workspace, run_of, name, language):
    run = run_of(name, language)
    known = known_of(workspace, run["folder"], run["run"]["params"]["source"])
    assert [str(leak) for leak in scan(run["folder"], known=known)] == []


def test_the_folder_of_all_reports_leaks_nothing(reports):
    assert [str(leak) for leak in scan(reports / "minimal")] == []
