"""Refusals of a bare trial: nothing planned, nested, later, described or covered beside the one outcome."""

import numpy as np
import pytest

from .test_intervention_outcomes import TRIAL, demo, flat, trial_rows


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """Twenty schools by lot, a first and a last score, and not a word more in the parameter file."""
    given = TRIAL | {"levels": [], "later": []}
    return flat(tmp_path, monkeypatch, trial_rows(np.random.default_rng(5), 20, 20), **given)


def test_what_was_not_told_is_refused_by_its_own_name(bare):
    _, _, result = bare
    found = {
        "no_levels": result.power.icc, "two_arms": result.primary.arms, "no_later": result.secondary.outcomes,
        "no_programme": result.design.programme, "one_arm_a_school": result.groups.pooled,
    }  # fmt: skip
    assert {code: getattr(one, "code", "given") for code, one in found.items()} == {code: code for code in found}


def test_few_schools_and_no_plan_leave_no_size_that_could_be_seen(tmp_path, monkeypatch):
    given = TRIAL | {"levels": [], "later": []}
    _, _, result = flat(tmp_path, monkeypatch, trial_rows(np.random.default_rng(5), 4, 20), **given)
    assert result.power.detectable.code == "nothing_planned"


def test_at_a_cutoff_no_covariate_measures_a_hidden_cause(small, monkeypatch):
    _, _, result = demo(small, monkeypatch, design="above_cutoff", covariates=[])
    assert result.hidden.benchmarks.code == "no_benchmark"


def test_several_starts_are_no_before_and_after(small, monkeypatch):
    terms = {f"term_{n}": f"term_{n}" for n in range(1, 7)}
    _, _, result = demo(
        small, monkeypatch, design="staggered", occasions=terms, baseline="term_1", primary="term_6", later=[]
    )
    assert result.rollout.two_by_two.code == "several_starts"
