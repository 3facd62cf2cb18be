"""CR2 of mixed models against clubSandwich, against matrices of rows by rows, by hand, and as a property."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects import (
    cluster_influence,
    cluster_robust,
    joint_test,
    mixed_blocks,
    mixed_rows,
    multilevel,
    multilevel_outcomes,
    robust_contrast,
)
from mhlib.stats.effects.mixed_robust import mixed_cluster_robust

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
VALUES = pd.read_csv(ORACLE / "mixed_robust_values.csv")
JOINT = pd.read_csv(ORACLE / "mixed_robust_joint.csv").set_index("model")
BTHEB = pd.read_csv(ORACLE / "multilevel_btheb.csv")
TRIAL = pd.read_csv(ORACLE / "mixed_robust_rows.csv")
LEVELS = ["school", "class", "pupil"]
BASED = "math ~ C(cltype, contr.treatment('small')) + C(sx, contr.treatment('F'))"
MODELS = {
    "btheb": ("bdi ~ pre + time + C(treatment, contr.treatment('TAU')) + drug + length", "multilevel_btheb", "subject"),
    "awards": ("bagrut_status ~ treated + C(qrtl) + sex + siblings + immigrant + father_ed + mother_ed",
               "multilevel_awards", "school_id"),
    "hsb82": ("mAch ~ ses + catholic", "multilevel_hsb82", "school"),
    "star": (BASED, "multilevel_star", ["sch", "tch"]),
    "trial": ("y ~ base + wave * arm", "mixed_robust_rows", LEVELS),
    "trial_ml": ("y ~ base + wave * arm", "mixed_robust_rows", ["school", "pupil"]),
}  # fmt: skip


def fitted(name, **more):
    formula, table, groups = MODELS[name]
    rows = pd.read_csv(ORACLE / f"{table}.csv")
    return multilevel(formula, rows, groups=groups, **more), rows


def theirs(name, kind="CR2"):
    return VALUES.query("model == @name and kind == @kind")


def assert_equal(found, expected, rel=2e-6):
    for name in ("estimate", "std_error", "df"):
        ours = found.to_frame()[name]
        assert np.allclose(ours, expected[name], rtol=rel, atol=1e-9), (name, list(ours), list(expected[name]))


@pytest.mark.parametrize("name", list(MODELS))
def test_cr2_equals_clubsandwich(name):
    fit, rows = fitted(name, method="ml" if name == "trial_ml" else "reml")
    assert_equal(mixed_cluster_robust(fit, rows), theirs(name))


@pytest.mark.parametrize("name", ["btheb", "trial"])
@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR3"])
def test_the_other_kinds_equal_clubsandwich(name, kind):
    fit, rows = fitted(name)
    assert_equal(mixed_cluster_robust(fit, rows, kind=kind), theirs(name, kind))


def table_of(name):
    rows = pd.read_csv(ORACLE / name)
    if "Sex" in rows:
        return rows.assign(female=(rows["Sex"] == "Female") * 1, c=rows["age"] - 11)
    if "ses" in rows:
        rows["meanses"] = rows.groupby("school")["ses"].transform("mean")
        return rows.assign(cses=rows["ses"] - rows["meanses"])
    return rows


@pytest.mark.parametrize(
    ("name", "formula", "table", "options", "rel"),
    [
        ("sleep", "Reaction ~ Days", "multilevel_sleepstudy.csv", {"groups": "Subject"}, 1e-8),
        ("sleep_slope", "Reaction ~ Days", "multilevel_sleepstudy.csv", {"groups": "Subject", "slope": "Days"}, 1e-8),
        ("orthodont", "distance ~ c * female", "multilevel_orthodont.csv", {"groups": "Subject"}, 1e-8),
        ("trial_slope", "y ~ base + wave * arm", "mixed_robust_rows.csv",
         {"groups": ["school", "pupil"], "slope": "wave", "slope_level": "school"}, 2e-5),
        ("trial_pupil_slope", "y ~ base + wave * arm", "mixed_robust_rows.csv",
         {"groups": ["school", "pupil"], "slope": "wave", "slope_level": "pupil", "slope_correlated": False}, 2e-5),
        # The likelihood is flat in the slope's variance: the optima differ in the fifth digit.
        ("hsb82_slope", "mAch ~ cses * catholic + meanses * cses", "multilevel_hsb82.csv",
         {"groups": "school", "slope": "cses"}, 3e-4),
    ],
)  # fmt: skip
def test_slopes_and_the_sleep_study_equal_clubsandwich(name, formula, table, options, rel):
    rows = table_of(table)
    assert_equal(mixed_cluster_robust(multilevel(formula, rows, **options), rows), theirs(name), rel)


def test_the_printed_anchors_of_balanced_data():
    rows = table_of("multilevel_sleepstudy.csv")
    for more in ({}, {"slope": "Days"}):
        found = mixed_cluster_robust(multilevel("Reaction ~ Days", rows, groups="Subject", **more), rows)
        assert found.std_errors == pytest.approx((6.824556532, 1.545788896), abs=1e-9)
        assert found.df == pytest.approx((17, 17), rel=1e-9)
    rows = table_of("multilevel_orthodont.csv")
    found = mixed_cluster_robust(multilevel("distance ~ c * female", rows, groups="Subject"), rows)
    assert found.std_errors[2:] == pytest.approx((0.7822012116, 0.1212491436), abs=5e-11)
    assert found.df[2:] == pytest.approx((21.65346535, 21.65346535), abs=5e-9)
    assert found.p_values[2:] == pytest.approx((0.0071924, 0.01988589), abs=5e-8)


def test_a_cluster_above_the_model():
    fit, rows = fitted("trial")
    found = mixed_cluster_robust(fit, rows, cluster="district")
    assert_equal(found, theirs("trial_district"))
    assert (found.n_clusters, list(found.clusters)) == (7, [1, 2, 3, 4, 5, 6, 7])


# anchors/intervention.md (c): lmerTest and clubSandwich, at lme4's default stop.
@pytest.mark.parametrize(
    ("name", "term", "error", "df", "p"),
    [
        ("btheb", "treatment", 1.7226041053, 62.2263406, 0.18384227),
        ("awards", "treated", 0.0531683873, 36.6338735, 0.0517287),
        ("hsb82", "catholic", 0.3485984550, 149.395607, None),
    ],
)
def test_the_printed_anchors(name, term, error, df, p):
    fit, rows = fitted(name)
    found = mixed_cluster_robust(fit, rows).to_frame().set_index("term")
    row = found.loc[next(one for one in found.index if term in one)]
    assert (row["std_error"], row["df"]) == pytest.approx((error, df), rel=1e-6)
    assert p is None or row["p_value"] == pytest.approx(p, abs=5e-8)


def test_the_whitened_root_differs_in_the_fourth_digit():
    fit, rows = fitted("hsb82")
    whitened = mixed_cluster_robust(fit, rows, root="whitened")
    # anchors/intervention.md (e): .348531 for .348598.
    assert whitened.std_errors[2] == pytest.approx(0.348531, abs=5e-7)
    assert "whitened root" in whitened.method and "(" not in mixed_cluster_robust(fit, rows).method


def test_contrasts_and_joint_tests():
    fit, rows = fitted("trial")
    found = mixed_cluster_robust(fit, rows)
    assert_equal(robust_contrast(found, {"late": {"arm": 1, "wave:arm": 2}}), theirs("trial_contrast"))
    for name, terms in (("trial", slice(2, 5)), ("star", slice(1, 3))):
        fit, rows = fitted(name)
        test = joint_test(found := mixed_cluster_robust(fit, rows), list(found.terms[terms]))
        assert (test.statistic, test.df1, test.df2) == pytest.approx(
            tuple(JOINT.loc[name, ["f", "df1", "df2"]]), rel=3e-6
        )


def test_without_variance_between_groups_it_is_least_squares():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"g": np.repeat(range(10), 6), "x": rng.normal(size=60), "y": rng.normal(size=60)})
    rows["y"] -= rows.groupby("g")["y"].transform("mean") - 0.01 * rows["g"] % 2
    fit = multilevel("y ~ x", rows, groups="g")
    assert fit.boundary == ("g",)
    found, plain = mixed_cluster_robust(fit, rows), cluster_robust("y ~ x", rows, cluster="g")
    assert found.std_errors == pytest.approx(plain.std_errors, rel=1e-9)
    assert found.df == pytest.approx(plain.df, rel=1e-9)


def test_balanced_pairs_by_hand():
    """One mean, g groups of two rows: any random intercept gives the variance of the groups' means over g."""
    y = np.array([1.0, 3.0, 4.0, 4.0, 9.0, 7.0, 2.0, 6.0, 5.0, 8.0])
    rows = pd.DataFrame({"g": np.repeat(range(5), 2), "y": y})
    found = mixed_cluster_robust(multilevel("y ~ 1", rows, groups="g"), rows)
    means = y.reshape(5, 2).mean(axis=1)
    assert found.std_errors[0] == pytest.approx(means.std(ddof=1) / np.sqrt(5), rel=1e-9)
    assert found.df[0] == pytest.approx(4, rel=1e-9)


def dense(fit, rows, names, cluster):
    """The textbook's matrices of rows by rows: V, A = D'(D (V - X M X') D')^(-1/2) D with D the Cholesky factor."""
    x = np.asarray(fit.core.design.spec.get_model_matrix(rows, context={}), dtype=float)
    v = np.eye(len(rows))
    for theta, name in zip(fit.core.theta, names[::-1], strict=True):
        v += theta**2 * (rows[name].to_numpy()[:, None] == rows[name].to_numpy())
    v, e = fit.core.sigma**2 * v, rows["y"].to_numpy() - x @ fit.core.beta
    m = np.linalg.inv(x.T @ np.linalg.solve(v, x))
    full, meat, parts = v - x @ m @ x.T, 0.0, []
    for one in np.unique(rows[cluster]):
        here = np.flatnonzero(rows[cluster].to_numpy() == one)
        d = np.linalg.cholesky(v[np.ix_(here, here)]).T
        value, vector = np.linalg.eigh(d @ full[np.ix_(here, here)] @ d.T)
        power = np.where(value > 1e-9 * value.max(), np.maximum(value, 1e-300) ** -0.5, 0.0)
        a = d.T @ (vector * power) @ vector.T @ d
        part = np.zeros((len(rows), x.shape[1]))
        part[here] = a @ np.linalg.solve(v[np.ix_(here, here)], x[here])
        parts.append(part @ m)
        meat = meat + np.outer(parts[-1].T @ e, parts[-1].T @ e)
    df = []
    for k in range(x.shape[1]):
        p = np.stack([part[:, k] for part in parts])
        moments = p @ full @ p.T
        df.append(np.trace(moments) ** 2 / (moments**2).sum())
    return np.sqrt(np.diag(meat)), np.array(df)


@given(seed=st.integers(0, 10**6), levels=st.integers(1, 3), factor=st.floats(0.01, 1000))
@settings(max_examples=25, deadline=None)
def test_equals_the_textbook_whatever_order_and_unit(seed, levels, factor):
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 4, size=8)
    klass = np.repeat(np.arange(8), counts)
    pupil = np.repeat(np.arange(counts.sum() * 3), rng.integers(1, 4, size=counts.sum() * 3))
    rows = pd.DataFrame({"pupil": pupil, "class": np.repeat(klass, 3)[pupil]})
    rows["school"], rows["x"] = rows["class"] // 2 + 100, rng.normal(size=len(rows))
    rows["arm"] = rows["school"] % 2
    effects = [rng.normal(size=size)[rows[name]] for name, size in (("class", 8), ("pupil", 999))]
    rows["y"] = sum(effects) + rng.normal(size=200)[rows["school"]] + rng.normal(size=len(rows)) + rows["x"]
    names = LEVELS[3 - levels :]
    fit = multilevel("y ~ x + arm", rows, groups=names)
    cluster = None if seed % 2 else "school"
    found = mixed_cluster_robust(fit, rows, cluster=cluster)
    errors, df = dense(fit, rows, names, cluster or names[0])
    assert found.covariance.diagonal() == pytest.approx(errors**2, rel=1e-5)
    seen = ~np.isnan(found.df)
    assert found.df[seen] == pytest.approx(df[seen], rel=1e-5)
    turned = mixed_cluster_robust(fit, rows.sample(frac=1, random_state=seed), cluster=cluster)
    assert turned.covariance == pytest.approx(found.covariance, rel=1e-7, abs=1e-12)
    scaled = rows.assign(y=rows["y"] * factor)
    larger = mixed_cluster_robust(multilevel(fit.formula, scaled, groups=names), scaled, cluster=cluster)
    assert np.sqrt(larger.covariance.diagonal()) / factor == pytest.approx(errors, rel=1e-4)


def test_influence_is_that_of_a_fit_without_the_school_at_the_same_variances():
    fit, rows = fitted("trial")
    table = cluster_influence(mixed_cluster_robust(fit, rows), "arm").table.set_index("cluster")
    rest = rows.query("school != 5")
    x = np.asarray(fit.core.design.spec.get_model_matrix(rest, context={}), dtype=float)
    v = np.eye(len(rest))
    for theta, name in zip(fit.core.theta, LEVELS[::-1], strict=True):
        v += theta**2 * (rest[name].to_numpy()[:, None] == rest[name].to_numpy())
    beta = np.linalg.solve(x.T @ np.linalg.solve(v, x), x.T @ np.linalg.solve(v, rest["y"].to_numpy()))
    assert table.loc[5, "estimate_without"] == pytest.approx(beta[3], rel=1e-8)


def test_rows_that_miss_a_value_and_many_outcomes():
    found = mixed_cluster_robust(fitted("btheb")[0], BTHEB)
    assert (found.n_used, found.n_excluded, found.n_clusters) == (280, 120, 97)
    assert found.estimand == "model" and found.family == "mixed" and found.sums is None
    rows = TRIAL.assign(z=TRIAL["y"] ** 2)
    both = multilevel_outcomes(["y", "z"], "base + wave * arm", rows, groups=LEVELS)
    alone = multilevel("z ~ base + wave * arm", rows, groups=LEVELS)
    assert mixed_cluster_robust(both.fits["z"], rows).std_errors == pytest.approx(
        mixed_cluster_robust(alone, rows).std_errors, rel=1e-9
    )
    assert mixed_cluster_robust(alone, rows).model_errors == pytest.approx(alone.fixed["std_error"], rel=1e-6)


def test_labels_that_begin_anew():
    rows = TRIAL.assign(**{"class": TRIAL["class"] - TRIAL.groupby("school")["class"].transform("min")})
    fit = multilevel("y ~ base + wave * arm", rows, groups=["school", "class"], labels="within")
    again = multilevel("y ~ base + wave * arm", TRIAL, groups=["school", "class"])
    assert mixed_cluster_robust(fit, rows, labels="within").df == pytest.approx(
        mixed_cluster_robust(again, TRIAL).df, rel=1e-7
    )


def test_few_clusters_are_refused_a_p_value():
    rows = TRIAL.query("school <= 5")
    found = mixed_cluster_robust(multilevel("y ~ base + arm", rows, groups=["school", "pupil"]), rows)
    i = found.position("arm")
    assert found.df[i] < 4 and np.isnan(found.p_values[i]) and np.isfinite(found.std_errors[i])
    assert found.refusals["arm"].code == "few_degrees_of_freedom"
    fit, rows = fitted("trial")
    assert isinstance(one := mixed_cluster_robust(fit, rows.assign(city=1), cluster="city"), Refused)
    assert one.code == "one_cluster"


@pytest.mark.parametrize("slope", [None, "wave"])
def test_a_term_that_one_school_carries_has_no_error(slope):
    rows = TRIAL.assign(only=(TRIAL["school"] == 3) * 1.0)
    found = mixed_cluster_robust(
        multilevel(
            "y ~ base + wave + only", rows, groups=["school", "pupil"], slope=slope, slope_level=slope and "school"
        ),
        rows,
    )
    assert found.refusals["only"].code == "carried_by_one_cluster" and np.isnan(found.std_errors[3])
    assert np.isfinite(found.df[:3]).all()


def test_errors(monkeypatch):
    fit, rows = fitted("trial")
    with pytest.raises(ParamsError, match="kind"):
        mixed_cluster_robust(fit, rows, kind="HC3")
    with pytest.raises(DataError, match="no column region"):
        mixed_cluster_robust(fit, rows, cluster="region")
    with pytest.raises(DataError, match="is not the table the model was fitted on"):
        mixed_cluster_robust(fit, rows.assign(y=rows["y"].to_numpy()[::-1]))
    with pytest.raises(DataError, match="is not the table the model was fitted on"):
        mixed_cluster_robust(fit, rows.iloc[1:])
    with pytest.raises(DesignError, match="'class' lies within 'school'"):
        mixed_cluster_robust(fit, rows, cluster="class")
    with pytest.raises(DesignError, match="lie in more than one 'half'"):
        mixed_cluster_robust(fit, rows.assign(half=np.arange(len(rows)) % 2), cluster="half")
    with pytest.raises(DataError, match="rows name no group"):
        mixed_cluster_robust(fit, rows.assign(part=rows["district"].where(rows["district"] > 1)), cluster="part")
    slope = multilevel("y ~ base + wave * arm", rows, groups="school", slope="wave")
    monkeypatch.setattr(mixed_rows, "MOST_ROWS", 60)
    with pytest.raises(DesignError, match="random slope and a cluster of"):
        mixed_cluster_robust(slope, rows)
    monkeypatch.setattr(mixed_blocks, "MOST_CELLS", 3)
    with pytest.raises(DesignError, match="different groups"):
        mixed_cluster_robust(fit, rows)
