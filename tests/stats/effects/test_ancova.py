"""ANCOVA against lm, lmer and clubSandwich (tests/oracle/make_slopes.R), by brute force, by hand, at the edges, as properties."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mhlib.errors import DataError, DesignError, ParamsError
from mhlib.findings import Refused
from mhlib.stats.effects.ancova_model import ancova
from mhlib.stats.effects.effect_size_hedges import hedges_g_from_model

ORACLE = Path(__file__).resolve().parents[2] / "oracle"
VALUES = pd.read_csv(ORACLE / "ancova_values.csv")
ROWS = pd.read_csv(ORACLE / "ancova_rows.csv")
CALL = {
    "outcome": "post", "baseline": "pre", "arm": "arm", "reference": "usual", "covariates": ["sex", "age"],
    "cluster": "school", "strata": "stratum",
}  # fmt: skip
ARMS = ("new", "new plus")


@pytest.fixture(scope="module")
def randomised():
    return ancova(ROWS, allocation="randomised", **CALL)


@pytest.fixture(scope="module")
def intact():
    return ancova(ROWS, **CALL)


def equal(frame: pd.DataFrame, case: str, terms: dict[str, str], *, rel: float = 1e-9) -> None:
    """Estimate, error and df of our terms against R's names."""
    wanted = VALUES[VALUES["case"] == case].set_index("what")
    found = frame.set_index("term")
    for ours, theirs in terms.items():
        row, value = found.loc[ours], wanted.loc[theirs]
        assert row["estimate"] == pytest.approx(value["value"], rel=rel)
        assert row["std_error"] == pytest.approx(value["std_error"], rel=rel)
        assert row["df"] == pytest.approx(value["df"], rel=rel)


VERSUS = {f"{arm} - usual": arm for arm in ARMS}


def test_a_trial_with_missing_baselines_equals_clubsandwich(randomised):
    equal(randomised.effects.to_frame(), "randomised", VERSUS)
    equal(randomised.means.to_frame(), "means", {name: name for name in ("usual", *ARMS)})
    equal(randomised.effects.to_frame(), "means", {"new plus - new": "pair"})
    assert randomised.baseline_missing == int((ROWS["pre"].isna() & ROWS["post"].notna()).sum()) > 0
    assert dict(randomised.excluded) == {"outcome": 4, "covariates": 0} and randomised.n_excluded == 4
    assert "indicator of a missing baseline" in randomised.method


def test_the_school_average_equals_clubsandwich():
    found = ancova(ROWS, allocation="randomised", estimand="school", **CALL)
    equal(found.effects.to_frame(), "school_average", VERSUS)


def test_intact_groups_leave_missing_baselines_out(intact):
    equal(intact.effects.to_frame(), "intact", VERSUS)
    equal(intact.change_score.to_frame(), "change", VERSUS)
    equal(intact.post_only.to_frame(), "post", VERSUS)
    equal(intact.lmm.to_frame(), "lmm", VERSUS, rel=2e-6)
    assert intact.baseline_missing == 0 and intact.n_used + intact.n_excluded == len(ROWS)
    assert intact.excluded["baseline"] == int((ROWS["pre"].isna() & ROWS["post"].notna()).sum())


def test_what_is_explained_by_level_equals_lmer(intact):
    wanted = VALUES[VALUES["case"] == "explained"].set_index("what")["value"]
    found = intact.explained.set_index("term")["estimate"]
    assert found.to_dict() == pytest.approx(wanted.to_dict(), rel=2e-5)


def test_btheb_at_two_months():
    # anchors (c): lm and clubSandwich by person; the arms there stand the other way round
    rows = pd.read_csv(ORACLE / "robust_btheb.csv")
    found = ancova(rows, outcome="y", baseline="pre", arm="treatment", reference="TAU", covariates=["drug", "length"],
                   cluster="cluster", allocation="randomised")  # fmt: skip
    row = found.effects.to_frame().iloc[0]
    assert row["estimate"] == pytest.approx(-2.986126347, abs=5e-10)
    assert (row["std_error"], row["df"]) == pytest.approx((1.832041516, 62.8608831), rel=1e-9)
    assert row["p_value"] == pytest.approx(0.1081145, abs=5e-8)
    assert found.fit.model_errors[1] == pytest.approx(1.798610378, abs=5e-10)
    assert isinstance(found.lmm, Refused) and found.lmm.code == "one_row_a_cluster"
    assert "baseline mean of cluster" not in found.fit.terms


def adjusted_scores(x, y, code, place):
    """What each cluster adds to one coefficient under CR2, with matrices of rows by rows."""
    bread = np.linalg.inv(x.T @ x)
    residual, found = y - x @ (bread @ (x.T @ y)), []
    for one in range(code.max() + 1):
        own = x[code == one]
        value, vector = np.linalg.eigh(np.eye(len(own)) - own @ bread @ own.T)
        root = vector / np.sqrt(np.maximum(value, 1e-300)) * (value > 1e-10) @ vector.T
        found.append((bread @ own.T @ root @ residual[code == one])[place])
    return np.array(found)


def intact_groups(seed: int, *, schools=14, apart=0.0, slope=0.5) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(schools), rng.integers(4, 9, schools))
    frame = pd.DataFrame({"school": code, "t": code % 2})
    frame["pre"] = apart * frame["t"] + rng.normal(size=len(code)) + 0.3 * rng.normal(size=schools)[code]
    frame["post"] = slope * frame["pre"] + 0.2 * frame["t"] + 0.6 * rng.normal(size=len(code))
    return frame


PLAIN = {"outcome": "post", "baseline": "pre", "arm": "t", "reference": 0, "cluster": "school"}


def test_the_gap_and_its_error_equal_brute_force_on_rows():
    frame = intact_groups(3, apart=0.5)
    found = ancova(frame, **PLAIN).lord["1"]
    mean = frame.groupby("school")["pre"].transform("mean")
    one, code = np.ones(len(frame)), frame["school"].to_numpy()
    x = np.column_stack([one, frame["t"], frame["pre"], mean])
    plain = x[:, :2]
    scores = adjusted_scores(x, frame["post"].to_numpy(), code, 1) - adjusted_scores(
        plain, (frame["post"] - frame["pre"]).to_numpy(), code, 1
    )
    assert found.std_error == pytest.approx(np.linalg.norm(scores), rel=1e-9)
    assert found.gap == pytest.approx(found.ancova - found.change_score, rel=1e-12)
    slopes = np.linalg.lstsq(x, frame["post"], rcond=None)[0]
    apart = frame.groupby("t")["pre"].mean().diff().iloc[1]
    assert (found.imbalance, found.slope) == pytest.approx((apart, slopes[2] + slopes[3]), rel=1e-9)
    assert found.explained == pytest.approx(found.gap, rel=1e-8)


def test_lords_two_statisticians():
    """Lord (1967): two groups that each keep their own mean; the change is 0 and ANCOVA sees an effect."""
    rng = np.random.default_rng(8)
    code = np.repeat(np.arange(40), 10)
    own = rng.normal(size=400)
    level = np.where(code % 2 == 1, 1.0, -1.0)
    frame = pd.DataFrame({"school": code, "t": code % 2, "pre": level + own + 0.8 * rng.normal(size=400)})
    frame["post"] = level + own + 0.8 * rng.normal(size=400)
    found = ancova(frame, **PLAIN, school_mean_baseline=False)
    lord = found.lord["1"]
    assert abs(lord.change_score) < 0.3 < lord.ancova and lord.differ
    assert lord.imbalance_g > 1 and 0 < lord.slope < 1
    assert lord.check.passed is False and "neither is identified" in lord.check.detail.template
    chance = ancova(frame, **PLAIN, school_mean_baseline=False, allocation="randomised").lord["1"]
    assert "ANCOVA is right" in chance.check.detail.template
    same = ancova(intact_groups(5), **PLAIN).lord["1"]
    assert same.differ is False and same.check.passed


def test_the_gap_by_hand():
    """Four schools of two pupils; means 2 and 4 before, 3 and 4 after: change 1 and 0, and the slope within is 1/2."""
    pre = [1.0, 3, 1, 3, 3, 5, 3, 5]
    post = [2.5, 3.5, 2.5, 3.5, 3.5, 4.5, 3.5, 4.5]
    rng = np.random.default_rng(1).normal(0, 1e-3, 8)
    frame = pd.DataFrame({"school": np.repeat(range(4), 2), "t": np.repeat([0, 1], 4), "pre": pre, "post": post + rng})
    lord = ancova(frame, **PLAIN, school_mean_baseline=False).lord["1"]
    # ANCOVA: 1 - 1/2 x 2 = 0; change: 0 - 1 = -1; gap 1 = imbalance 2 x (1 - 1/2)
    assert (lord.ancova, lord.change_score, lord.imbalance) == pytest.approx((0, -1, 2), abs=5e-3)
    assert (lord.gap, lord.explained, lord.slope) == pytest.approx((1, 1, 0.5), abs=5e-3)
    assert lord.imbalance_g == pytest.approx(2 / math.sqrt(8 / 6) * (1 - 3 / 23), rel=1e-9)


def test_the_g_is_that_of_the_model(intact):
    row = intact.effects.to_frame().set_index("term").loc["new - usual"]
    used = ROWS[ROWS["post"].notna() & ROWS["pre"].notna()]
    pair = used[used["arm"] != "new plus"]
    parts = [pair.loc[pair["arm"] == arm, "post"] for arm in ("new", "usual")]
    sd = math.sqrt(sum((len(part) - 1) * part.var() for part in parts) / (len(pair) - 2))
    icc = VALUES.query("case == 'explained' and what == 'icc before'")["value"].iloc[0]
    wanted = hedges_g_from_model(
        row["estimate"], row["std_error"], sd=sd, n_treated=len(parts[0]), n_control=len(parts[1]), icc=icc,
        cluster_size=len(pair) / 12, df=row["df"], rule="wwc",
    )  # fmt: skip
    assert intact.g["new - usual"].g == pytest.approx(wanted.g, rel=1e-6)
    assert intact.g["new - usual"].std_error == pytest.approx(wanted.std_error, rel=1e-6)


def factorial(seed: int = 2) -> pd.DataFrame:
    frame = intact_groups(seed, schools=24)
    frame["arm"] = np.array(["none", "cc", "tv", "cctv"])[frame["school"] % 4]
    return frame


def test_a_factorial_says_main_effects_and_interaction():
    frame, call = factorial(), PLAIN | {"arm": "arm", "reference": "none"}
    found = ancova(frame, factorial=("cc", "tv", "cctv"), **call)
    by = found.effects.to_frame().set_index("term")["estimate"]
    cc, tv, both = by["cc - none"], by["tv - none"], by["cctv - none"]
    assert by["cc, averaged over tv"] == pytest.approx((cc + both - tv) / 2)
    assert by["tv, averaged over cc"] == pytest.approx((tv + both - cc) / 2)
    assert by["cc x tv"] == pytest.approx(both - cc - tv)
    assert set(found.g) == {"cc - none", "tv - none", "cctv - none"} and set(found.lord) == {"cc", "tv", "cctv"}
    with pytest.raises(ParamsError, match="three arms beside the reference"):
        ancova(frame, factorial=("cc", "tv", "none"), **call)


def test_tvsfp_by_school(shared_data):
    """The trial's curriculum and television: four arms, the product column being the interaction."""
    rows = pd.read_csv(shared_data / "tvsfp_school_crt.csv")
    rows["arm"] = np.select([rows["cctv"] == 1, rows["cc"] == 1, rows["tv"] == 1], ["both", "cc", "tv"], "none")
    call = {"outcome": "thksord", "baseline": "thkspre", "arm": "arm", "reference": "none", "cluster": "school",
            "allocation": "randomised", "factorial": ("cc", "tv", "both"), "school_mean_baseline": False}  # fmt: skip
    found = ancova(rows, same_scale=False, **call)
    assert isinstance(found.change_score, Refused) and found.change_score.code == "baseline_other_scale"
    assert found.lord == {} and found.n_clusters == 28
    # lmer, school alone: thksord ~ thkspre + cc * tv + (1 | school)
    from mhlib.stats.effects import multilevel

    fit = multilevel("thksord ~ thkspre + cc * tv", rows, groups="school")
    lmm = found.lmm.to_frame().set_index("term")
    for ours, theirs in (("cc - none", "cc"), ("tv - none", "tv"), ("cc x tv", "cc:tv")):
        assert lmm.loc[ours, "estimate"] == pytest.approx(fit.effect(theirs)["estimate"], rel=1e-6)
        assert lmm.loc[ours, "df"] == pytest.approx(fit.effect(theirs)["df"], rel=1e-5)


def test_frames(intact):
    frame, analyses = intact.to_frame(), intact.analyses()
    assert list(frame.columns[:6]) == ["term", "estimate", "std_error", "conf_low", "conf_high", "p_value"]
    assert list(frame["kind"].unique()) == ["mean", "effect", "g"]
    assert frame.loc[frame["kind"] == "mean", "p_value"].isna().all()
    assert set(analyses["analysis"]) == {"ancova", "lmm", "change score", "post only"}
    assert len(analyses) == 12 and (analyses["n_used"] == intact.n_used).all()


# Edges


def test_few_schools_have_no_p_value():
    frame = intact_groups(4, schools=4)
    found = ancova(frame, **PLAIN, school_mean_baseline=False)
    assert found.refusals["1 - 0"].code == "few_degrees_of_freedom"
    assert math.isnan(found.effects.p_values[0]) and math.isfinite(found.effects.std_errors[0])
    assert isinstance(found.g["1 - 0"], Refused)
    assert found.lord["1"].differ is None and found.lord["1"].check.passed is None


def test_one_school_in_an_arm_is_refused():
    frame = intact_groups(4, schools=7)
    lonely = frame[(frame["t"] == 0) | (frame["school"] == 1)]
    assert ancova(lonely, **PLAIN).code == "one_cluster_in_arm"
    assert ancova(frame[frame["school"] == 1].assign(t=[0, 1] * 2 + [0] * (sum(frame["school"] == 1) - 4)),
                  **PLAIN).code == "one_cluster"  # fmt: skip


def test_an_arm_without_baseline_is_refused_and_one_with_few_has_no_change_score():
    frame = intact_groups(6)
    call = PLAIN | {"allocation": "randomised", "school_mean_baseline": False}
    nobody = frame.assign(pre=frame["pre"].where(frame["t"] == 0))
    assert ancova(nobody, **call).code == "arm_without_baseline"
    one_school = frame.assign(pre=frame["pre"].where((frame["t"] == 0) | (frame["school"] == 1)))
    found = ancova(one_school, **call)
    assert found.change_score.code == "one_cluster_in_arm" and found.lord == {}


def test_pupils_allocated_within_schools():
    frame = intact_groups(7)
    frame["t"] = np.arange(len(frame)) % 2
    found = ancova(frame, **PLAIN, allocation="randomised")
    lord = found.lord["1"]
    assert lord.slope == pytest.approx(found.fit.estimates[found.fit.position("baseline")])
    assert found.g["1 - 0"].icc == 0


def test_one_baseline_a_school_adds_no_mean():
    frame = intact_groups(9)
    frame["pre"] = frame.groupby("school")["pre"].transform("mean")
    assert "baseline mean of cluster" not in ancova(frame, **PLAIN).fit.terms


# Errors


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"reference": 2}, ParamsError, r"ancova\(reference\): '2' is no arm; one of 0, 1"),
        ({"outcome": "score"}, DataError, "the table has no column score"),
        ({"baseline": "post"}, ParamsError, "names a column twice"),
        ({"estimand": "class"}, ParamsError, "'class' is not known"),
        ({"allocation": "matched"}, ParamsError, "one of intact, randomised"),
        ({"conf_level": 95}, ParamsError, "between 0 and 1"),
        ({"covariates": ["flat"]}, DesignError, "the same in every row: flat"),
        ({"strata": "moving"}, DesignError, "clusters lie in more than one stratum"),
        ({"covariates": ["twin"]}, DesignError, "made from each other"),
        ({"outcome": "still"}, DesignError, "missing or the same in every row"),
        ({"outcome": "words"}, DataError, "not a number"),
    ],
)
def test_errors_say_what_is_wrong(change, error, text):
    frame = intact_groups(1).assign(flat=1.0, moving=lambda rows: np.arange(len(rows)) % 3, still=2.0, words="a")
    frame["twin"] = frame["t"] * 2.0
    with pytest.raises(error, match=text):
        ancova(frame, **(PLAIN | change))


def test_one_arm_and_no_arm():
    frame = intact_groups(1)
    with pytest.raises(DesignError, match="holds one arm only"):
        ancova(frame.assign(t=0), **PLAIN)
    with pytest.raises(DataError, match="rows name no cluster"):
        ancova(frame.assign(t=frame["t"].where(frame["school"] > 0)), **PLAIN)


# Properties


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.floats(-50, 50), scale=st.floats(0.2, 20))
def test_units_and_order_do_not_matter(seed, shift, scale):
    frame = intact_groups(seed % 1000, schools=12, apart=0.4)
    moved = frame.assign(pre=frame["pre"] * scale + shift, post=frame["post"] * scale + shift)
    one, other = (ancova(rows, **PLAIN) for rows in (frame, moved.sample(frac=1, random_state=seed)))
    assert other.effects.estimates == pytest.approx(one.effects.estimates * scale, rel=1e-7, abs=1e-9)
    assert other.effects.p_values == pytest.approx(one.effects.p_values, rel=1e-6, nan_ok=True)
    assert other.effects.df == pytest.approx(one.effects.df, rel=1e-6)
    assert other.means.estimates == pytest.approx(one.means.estimates * scale + shift, rel=1e-7, abs=1e-7)
    assert other.lord["1"].imbalance_g == pytest.approx(one.lord["1"].imbalance_g, rel=1e-7)
    assert other.lord["1"].explained == pytest.approx(other.lord["1"].gap, rel=1e-6, abs=1e-9)
