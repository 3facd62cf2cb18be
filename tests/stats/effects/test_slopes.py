"""Random slopes and unstructured waves against lme4, lmerTest and gls (tests/oracle/make_slopes.R), dense algebra, edges."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects import multilevel
from mhlib.stats.effects.nested_design import design_of, parsed
from mhlib.stats.effects.slopes_identified import identified, part_products
from mhlib.stats.effects.slopes_model import boundary_check, convergence_check, mixture_p, random_slope
from mhlib.stats.effects.waves_covariance import WaveDeviance, patterns_of
from mhlib.stats.effects.waves_unstructured import unstructured_waves, wave_contrasts, waves_check

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
VALUES = pd.read_csv(ORACLE / "slopes_values.csv")


def values(case: str) -> pd.DataFrame:
    return VALUES[VALUES["case"] == case].set_index("what")


def read(name: str) -> pd.DataFrame:
    data = pd.read_csv(ORACLE / f"multilevel_{name}.csv")
    if name == "orthodont":
        data["Sex"] = pd.Categorical(data["Sex"], categories=["Male", "Female"])
        data["c"], data["a"] = data["age"] - 11, data["age"].astype(int)
    if name == "btheb":
        data["treatment"] = pd.Categorical(data["treatment"], categories=["TAU", "BtheB"])
    if name == "hsb82":
        data["meanses"] = data.groupby("school")["ses"].transform("mean")
        data["cses"] = data["ses"] - data["meanses"]
        data["sector"] = pd.Categorical(np.where(data["catholic"] == 1, "Catholic", "Public"), ["Public", "Catholic"])
    return data


SLOPES = {
    "sleep": ("Reaction ~ Days", "sleepstudy", "Days", "Subject", "reml"),
    "sleep_ml": ("Reaction ~ Days", "sleepstudy", "Days", "Subject", "ml"),
    "ortho": ("distance ~ c * Sex", "orthodont", "c", "Subject", "reml"),
    "exam": ("normexam ~ standLRT", "exam", "standLRT", "school", "reml"),
}


@pytest.mark.parametrize("case", list(SLOPES))
def test_variances_and_ratio_equal_lme4(case):
    formula, data, slope, group, method = SLOPES[case]
    found, wanted = random_slope(formula, read(data), slope=slope, group=group, method=method), values(case)["value"]
    ours = (found.intercept_variance, found.slope_variance, found.covariance, found.residual_variance)
    # bobyqa ends some 1e-6 from the optimum, which Newton steps reach.
    assert ours == pytest.approx(tuple(wanted[["intercept", "slope", "covariance", "residual"]]), rel=1e-5)
    assert found.correlation == pytest.approx(wanted["correlation"], rel=1e-5)
    assert found.fit.deviance == pytest.approx(wanted["deviance"], abs=1e-7)
    assert found.ratio == pytest.approx(wanted["ratio"], abs=2e-7)
    assert found.converged and found.boundary == () and all(check.passed for check in found.checks)
    assert found.p_value == pytest.approx((stats.chi2.sf(found.ratio, 1) + stats.chi2.sf(found.ratio, 2)) / 2)


def test_the_printed_anchors():
    # anchors (c); lme4's default optimiser stopped a few units in the seventh digit from the optimum (make_multilevel.R)
    sleep = random_slope("Reaction ~ Days", read("sleepstudy"), slope="Days", group="Subject")
    days = sleep.fit.effect("Days")
    assert days["estimate"] == pytest.approx(10.46728596, abs=5e-9)
    assert (days["std_error"], days["df"]) == pytest.approx((1.545789644, 16.99998), rel=2e-6)
    assert (sleep.intercept_variance, sleep.slope_variance) == pytest.approx((612.100158, 35.0717145), rel=2e-5)
    assert (sleep.covariance, sleep.residual_variance) == pytest.approx((9.6044090, 654.940008), rel=2e-5)
    assert sleep.fit.deviance == pytest.approx(1743.628272, abs=5e-7)
    ortho = random_slope("distance ~ c * Sex", read("orthodont"), slope="c", group="Subject")
    row = ortho.fit.effect("c:Sex[T.Female]")
    assert (row["std_error"], row["df"]) == pytest.approx((0.1347351956, 25.0), rel=2e-6)
    assert row["p_value"] == pytest.approx(0.0326136816, rel=2e-5)
    assert ortho.fit.deviance == pytest.approx(432.5816615, abs=5e-8)
    hsb = random_slope("mAch ~ cses * sector + meanses * cses", read("hsb82"), slope="cses", group="school")
    row = hsb.fit.effect("cses:sector[T.Catholic]")
    # the likelihood is flat here: lme4's default stops 5e-6 short of the optimum
    assert (row["estimate"], row["std_error"]) == pytest.approx((-1.642682034, 0.2397663273), rel=5e-5)
    assert row["df"] == pytest.approx(143.229, rel=1e-3)
    assert hsb.fit.deviance == pytest.approx(46503.66287, abs=6e-6)
    exam = random_slope("normexam ~ standLRT", read("exam"), slope="standLRT", group="school")
    assert exam.fit.deviance == pytest.approx(9327.600345, abs=6e-7)
    assert exam.intercept_fit.deviance == pytest.approx(9368.765287, abs=6e-7)
    assert exam.ratio == pytest.approx(41.16494, abs=6e-6) and exam.p_value < 1e-8


def test_the_same_digits_as_multilevel():
    data = read("sleepstudy")
    found = random_slope("Reaction ~ Days", data, slope="Days", group="Subject")
    pd.testing.assert_frame_equal(
        found.fit.fixed, multilevel("Reaction ~ Days", data, groups="Subject", slope="Days").fixed
    )
    frame = found.to_frame()
    assert list(frame["kind"].unique()) == ["fixed", "variance", "correlation", "test"]
    assert (frame["n_used"] == 180).all()
    assert frame.set_index("term").loc["likelihood ratio of the slope", "p_value"] == found.p_value


def test_the_mixture_by_hand():
    # 2.7055 is the 10 % point of chi-squared 1; chi-squared 2 has exp(-x / 2) beyond x
    assert mixture_p(2.705543) == pytest.approx((0.1 + math.exp(-2.705543 / 2)) / 2, abs=1e-7)
    assert mixture_p(0.0) == 1.0


def test_missing_rows_are_counted_and_both_fits_share_rows():
    data = read("sleepstudy").assign(other=1.0)
    data.loc[[3, 50], "Days"] = np.nan
    data.loc[7, "Reaction"] = np.nan
    found = random_slope("Reaction ~ 1", data, slope="Days", group="Subject")
    assert (found.n_used, found.n_excluded) == (177, 3)
    assert found.intercept_fit.n_used == 177 and found.n_groups == 18


def growth(seed: int, *, pupils=40, waves=3, sd=0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"pupil": np.repeat(np.arange(pupils), waves), "t": np.tile(np.arange(waves), pupils)})
    own = rng.normal(size=pupils), sd * rng.normal(size=pupils)
    frame["y"] = own[0][frame["pupil"]] + (0.2 + own[1][frame["pupil"]]) * frame["t"] + rng.normal(size=len(frame))
    return frame


def test_two_waves_are_refused_and_a_third_for_some_is_not():
    two = growth(1, waves=2)
    found = random_slope("y ~ t", two, slope="t", group="pupil")
    assert isinstance(found, Refused) and found.code == "slope_not_identified"
    # The same two waves at other times for half of the pupils tell the variances apart.
    shifted = two.assign(t=two["t"] * (1 + (two["pupil"] % 2)))
    assert not isinstance(random_slope("y ~ t", shifted, slope="t", group="pupil"), Refused)
    some = growth(1)
    some = some[(some["t"] < 2) | (some["pupil"] < 10)]
    assert not isinstance(random_slope("y ~ t", some, slope="t", group="pupil"), Refused)
    fixed = growth(1).assign(t=lambda rows: rows["pupil"] % 3)
    assert random_slope("y ~ t", fixed, slope="t", group="pupil").code == "slope_not_identified"


def test_the_products_of_the_parts_are_traces():
    rng = np.random.default_rng(2)
    groups = [rng.normal(size=n) for n in (2, 3, 5)]
    wanted = np.zeros((4, 4))
    for t in groups:
        one = np.ones(len(t))
        parts = [np.outer(one, one), np.outer(one, t) + np.outer(t, one), np.outer(t, t), np.eye(len(t))]
        wanted += np.array([[np.trace(a @ b) for b in parts] for a in parts])
    found = part_products(
        np.array([float(len(t)) for t in groups]),
        np.array([t.sum() for t in groups]),
        np.array([t @ t for t in groups]),
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert identified(np.concatenate(groups), np.repeat([0, 1, 2], [2, 3, 5]))


def test_a_slope_that_does_not_differ_stands_at_the_boundary():
    found = random_slope("y ~ t", growth(3, sd=0.0, pupils=30), slope="t", group="pupil")
    assert found.boundary == ("pupil",) and found.checks[1].passed is False
    assert found.converged and found.p_value > 0.5
    inside = random_slope("y ~ t", growth(1, sd=0.0, pupils=30), slope="t", group="pupil")
    assert inside.boundary == () and inside.checks[1].passed
    assert boundary_check(("pupil",)).passed is False and convergence_check(False).passed is False


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"slope": "pupil"}, ParamsError, "is the group"),
        ({"slope": "flat"}, DataError, "is the same in every row"),
        ({"group": "class"}, DataError, "no column class"),
        ({"method": "mle"}, ParamsError, "'mle' is not known"),
        ({"formula": "y ~ t | pupil"}, ParamsError, "holds"),
    ],
)
def test_errors_of_slopes(change, error, text):
    call = {"formula": "y ~ t", "slope": "t", "group": "pupil"} | change
    with pytest.raises(error, match=text):
        random_slope(call.pop("formula"), growth(1).assign(flat=1), **call)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.floats(-3, 3), scale=st.floats(0.3, 5))
@example(seed=244, shift=-2.0, scale=3.0)  # both optimisers once stopped at a variance of nought
def test_moving_the_slopes_origin_moves_no_likelihood(seed, shift, scale):
    frame = growth(seed % 500, pupils=25, waves=4)
    one = random_slope("y ~ t", frame, slope="t", group="pupil")
    moved = frame.assign(t=(frame["t"] - shift) * scale)
    other = random_slope("y ~ t", moved, slope="t", group="pupil")
    assert other.ratio == pytest.approx(one.ratio, abs=1e-4)
    assert other.slope_variance * scale**2 == pytest.approx(one.slope_variance, rel=1e-3, abs=1e-5)


# Unstructured waves

NAMES = {"(Intercept)": "Intercept", "SexFemale": "Sex[T.Female]", "treatmentBtheB": "treatment[T.BtheB]"}


def ours_of(theirs: str) -> str:
    """Our name of a term of R."""
    for prefix, column in (("a", "C(a)"), ("m", "C(time)")):
        if theirs[0] == prefix and theirs[1].isdigit():
            level, _, rest = theirs[1:].partition(":")
            return f"{column}[T.{level}]" + (f":{NAMES[rest]}" if rest else "")
    first, _, rest = theirs.partition(":")
    return NAMES.get(first, first) + (f":C(time)[T.{rest[1:]}]" if rest else "")


WAVES = {
    "ortho_reml": ("distance ~ C(a) * Sex", "orthodont", "Subject", "a"),
    "ortho_ml": ("distance ~ C(a) * Sex", "orthodont", "Subject", "a"),
    "btheb_reml": ("bdi ~ pre + treatment * C(time)", "btheb", "subject", "time"),
    "btheb_ml": ("bdi ~ pre + treatment * C(time)", "btheb", "subject", "time"),
}


@pytest.mark.parametrize("case", list(WAVES))
def test_waves_equal_gls(case):
    formula, data, unit, wave = WAVES[case]
    found = unstructured_waves(formula, read(data), unit=unit, wave=wave, method=case.split("_")[1])
    wanted, ours = values(case), found.fixed.set_index("term")
    assert found.converged and found.check.passed
    assert found.loglik == pytest.approx(wanted["value"].drop(wanted.index.difference(["loglik"])).iloc[0], abs=1e-7)
    # Under ML gls takes n - p in its errors all the same.
    p = len(ours)
    factor = 1.0 if case.endswith("reml") else math.sqrt(found.n_used / (found.n_used - p))
    for theirs, row in wanted.drop("loglik").iterrows():
        mine = ours.loc[ours_of(theirs)]
        assert mine["estimate"] == pytest.approx(row["value"], rel=1e-4, abs=1e-6)
        assert mine["std_error"] * factor == pytest.approx(row["std_error"], rel=1e-5)


def test_the_printed_mmrm_of_orthodont():
    # anchors (c): logLik -207.0174005; SexF at 8: -1.69318 (.91147151)
    found = unstructured_waves("distance ~ C(a) * Sex", read("orthodont"), unit="Subject", wave="a")
    row = found.fixed.set_index("term").loc["Sex[T.Female]"]
    assert found.loglik == pytest.approx(-207.0174005, abs=5e-8)
    assert (row["estimate"], row["std_error"]) == pytest.approx((-1.69318, 0.91147151), abs=2e-6)


def test_complete_waves_are_a_t_test_each():
    """Every sex has its mean at every age: the contrast at one age is the t test there, with its 25 df."""
    data = read("orthodont")
    found = unstructured_waves("distance ~ C(a) * Sex", data, unit="Subject", wave="a")
    labels = {8: {"Sex[T.Female]": 1}} | {
        age: {"Sex[T.Female]": 1, f"C(a)[T.{age}]:Sex[T.Female]": 1} for age in (10, 12, 14)
    }
    rows = wave_contrasts(found, labels).set_index("term")
    for age in labels:
        parts = [data[(data["a"] == age) & (data["Sex"] == sex)]["distance"] for sex in ("Female", "Male")]
        theirs = stats.ttest_ind(*parts)
        assert rows.loc[age, "p_value"] == pytest.approx(theirs.pvalue, rel=1e-6)
        assert rows.loc[age, "df"] == pytest.approx(25, rel=1e-6)
    centred = data["distance"] - data.groupby(["Sex", "a"], observed=True)["distance"].transform("mean")
    wide = (
        centred.to_frame().assign(unit=data["Subject"], a=data["a"]).pivot(index="unit", columns="a", values="distance")
    )
    np.testing.assert_allclose(found.covariance, wide.T @ wide / 25, rtol=1e-6)
    assert np.diag(found.correlation) == pytest.approx(np.ones(4)) and found.n_patterns == 1


def gappy(seed: int, *, units=40, waves=3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"unit": np.repeat(np.arange(units), waves), "wave": np.tile(np.arange(waves), units)})
    frame["arm"] = frame["unit"] % 2
    root = np.linalg.cholesky(np.array([[1, 0.5, 0.3], [0.5, 1.5, 0.8], [0.3, 0.8, 2.0]]))
    frame["y"] = (rng.normal(size=(units, 3)) @ root.T).ravel() + 0.3 * frame["arm"]
    return frame[(frame["wave"] == 0) | (rng.random(len(frame)) > 0.25)].reset_index(drop=True)


def dense(frame, x, theta, reml):
    """-2 log-likelihood with one covariance a unit, and (X'V⁻¹X)⁻¹."""
    factor = np.zeros((3, 3))
    factor[np.tril_indices(3)] = theta
    v, cross, side, total, det = factor @ factor.T, 0, 0, 0, 0
    for _, part in frame.groupby("unit"):
        own = v[np.ix_(part["wave"], part["wave"])]
        rows, y = x[part.index], part["y"].to_numpy()
        inverse = np.linalg.inv(own)
        cross, side = cross + rows.T @ inverse @ rows, side + rows.T @ inverse @ y
        total, det = total + y @ inverse @ y, det + np.linalg.slogdet(own)[1]
    beta = np.linalg.solve(cross, side)
    value = det + total - side @ beta + (len(x) - reml * x.shape[1]) * math.log(2 * math.pi)
    return value + (np.linalg.slogdet(cross)[1] if reml else 0), np.linalg.inv(cross)


@pytest.mark.parametrize("reml", [True, False])
def test_deviance_gradient_and_df_equal_dense_algebra(reml):
    frame = gappy(4)
    design = design_of(parsed("y ~ arm * C(wave)", where="t"), (), frame, where="t")
    whole = np.column_stack([design.x, design.y])
    found = WaveDeviance(patterns_of(whole, frame["unit"].to_numpy(), frame["wave"].to_numpy(), 3), 3, 6, reml=reml)
    centred = frame.assign(y=design.y[:, 0])
    theta, step = np.array([1.1, 0.3, 0.9, 0.1, 0.4, 1.3]), 1e-5
    assert found.point(theta).deviance == pytest.approx(dense(centred, design.x, theta, reml)[0], rel=1e-12)
    hessian, jacobian = found.second(theta)
    for place, unit in enumerate(np.eye(6) * step):
        up, down = (dense(centred, design.x, theta + sign * unit, reml) for sign in (1, -1))
        assert found.point(theta).gradient[place] == pytest.approx((up[0] - down[0]) / (2 * step), abs=1e-4)
        np.testing.assert_allclose(jacobian[place], (up[1] - down[1]) / (2 * step), atol=1e-7)
        slopes = [found.point(theta + sign * unit).gradient for sign in (1, -1)]
        np.testing.assert_allclose(hessian[place], (slopes[0] - slopes[1]) / (2 * step), atol=1e-4)
    # A shuffled table leaves the same digits.
    mixed = frame.sample(frac=1, random_state=1)
    one, other = (unstructured_waves("y ~ arm * C(wave)", rows, unit="unit", wave="wave") for rows in (frame, mixed))
    np.testing.assert_allclose(one.fixed["df"], other.fixed["df"], rtol=1e-5)
    assert one.converged and one.n_patterns == 4


def test_waves_that_nobody_shares_are_refused():
    frame = gappy(5)
    apart = frame[
        ~((frame["wave"] == 1) & (frame["unit"] % 2 == 0)) & ~((frame["wave"] == 2) & (frame["unit"] % 2 == 1))
    ]
    assert unstructured_waves("y ~ C(wave)", apart, unit="unit", wave="wave").code == "waves_not_seen_together"
    assert waves_check(False).passed is False


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"unit": "wave"}, ParamsError, "is the unit"),
        ({"wave": "one"}, DesignError, "1 waves"),
        ({"unit": "arm"}, DesignError, "rows repeat a unit's wave"),
        ({"method": "gls"}, ParamsError, "'gls' is not known"),
        ({"unit": "person"}, DataError, "no column person"),
    ],
)
def test_errors_of_waves(change, error, text):
    call = {"unit": "unit", "wave": "wave"} | change
    with pytest.raises(error, match=text):
        unstructured_waves("y ~ arm", gappy(1).assign(one=1), **call)


def test_an_unknown_term_of_a_contrast():
    found = unstructured_waves("y ~ arm", gappy(1), unit="unit", wave="wave")
    with pytest.raises(ParamsError, match="no term sex"):
        wave_contrasts(found, {"a": {"sex": 1}})


def test_waves_converge_at_the_size_of_a_city():
    """The stopping rule must see the last units of a deviance of a hundred thousand."""
    rng = np.random.default_rng(2026)
    own, n = rng.normal(size=(15_000, 1)), 15_000
    y = (own + 0.7 * rng.normal(size=(n, 3))).ravel()
    rows = pd.DataFrame({"pupil": np.repeat(np.arange(n), 3), "t": np.tile([0.0, 1.0, 2.0], n), "y": y})
    found = unstructured_waves("y ~ C(t)", rows[rng.random(len(rows)) > 0.1], unit="pupil", wave="t")
    assert found.converged and found.check.passed
    assert found.covariance[0, 1] == pytest.approx(1.0, abs=0.05)
