"""Published data sets with known answers: each report gives the known values and finds the data set's own trap.

Oracle values are those of the data sets' descriptions (R 4.2: psych, lavaan, pROC); tolerances are half a unit of the last
printed digit unless a reason stands beside them. The files are no part of the project: without them these tests skip.
"""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from mhlib.analyses import screening_validity as analysis
from mhlib.analyses.parts import trap_checks
from mhlib.data.scales import scale
from mhlib.errors import DataError
from mhlib.findings import Refused
from mhlib.stats.measurement import cronbach_alpha, dif

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("cdi26", "pclc17", "stai", "dsiss", "hepatic", "diaphanography", "dass42")
# What each description names as its trap, by the check that finds it.
TRAPS = {
    "cdi26": {"Groups may be compared by the sum score", "Every answer is used"},
    "pclc17": {"One factor carries the sum score", "Nearly everybody who answered has a score"},
    "stai": {"The second time lies two to eight weeks later"},
    "dsiss": {"Screen and reference speak of the same time", "Enough cases behind the accuracy",
              "A positive screen means the same where it shall be used"},
    "hepatic": {"The correction leaves the conclusion standing"},
    "diaphanography": {"The correction leaves the conclusion standing", "Missed cases behind the correction"},
    "dass42": {"Shares among those screened are shares of a population"},
}  # fmt: skip


def given(name: str) -> analysis.Params:
    return analysis.Params.from_file(ROOT / "params" / "real" / f"{name}.yml")


def raw(name: str, folder: Path) -> pd.DataFrame:
    """The published file as text; of STAI without the six rows that name no person (see the test of the whole file)."""
    frame = pd.read_csv(folder / given(name).source, dtype=str, keep_default_na=False)
    return frame[frame["id"] != ""] if name == "stai" else frame


class Real:
    """A parameter set over a file, with whatever the report makes of it."""

    def __init__(self, mapping: dict, folder: Path):
        self.params = analysis.Params.from_mapping(mapping, where="test")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MHLIB_DATA", str(folder))
            self.data = analysis.load(self.params)
        self._result = None

    @classmethod
    def of(cls, name: str, folder: Path, **changes) -> "Real":
        params = given(name)
        return cls(params.model_dump() | {"as_of": params.as_of.isoformat()} | changes, folder)

    @property
    def result(self):
        if self._result is None:
            self._result = analysis.estimate(self.data, self.params)
        return self._result

    @property
    def checks(self) -> dict:
        every = analysis.check(self.data, self.params) + trap_checks.traps(self.data, self.params)
        return {check.name.template: check for check in every}

    @property
    def not_held(self) -> set[str]:
        return {name for name, check in self.checks.items() if check.passed is not True}

    def light(self, word: str):
        (one,) = (light for light in analysis.lights(self.result, self.params) if word in light.name.template.lower())
        return one


@pytest.fixture(scope="module")
def real(shared_data, tmp_path_factory):
    """Each data set once for the whole file."""
    known, folder = {}, tmp_path_factory.mktemp("real")
    raw("stai", shared_data).to_csv(folder / given("stai").source, index=False)

    def one(name: str) -> Real:
        if name not in known:
            known[name] = Real.of(name, folder if name == "stai" else shared_data)
        return known[name]

    return one


def changed(name: str, frame: pd.DataFrame, folder: Path, **changes) -> Real:
    """The parameter set over another file."""
    frame.to_csv(folder / "another.csv", index=False)
    return Real.of(name, folder, source="another.csv", disclosure="public", **changes)


def term(result, name: str) -> pd.Series:
    return result.to_frame().set_index("term").loc[name]


def coefficient(found: Real, name: str, group: str = "total") -> float:
    table = found.result.reliability.coefficients.table
    return table[table["group"] == group].set_index("term").at[name, "estimate"]


def fit(found: Real, model: str) -> pd.Series:
    table = found.result.structure.fits.table
    return table[(table["model"] == model) & (table["test"] == "fit_scaled")].iloc[0]


def has_fit(row: pd.Series, *, chi2: float, df: int, **indices: float) -> None:
    """Scaled fit as printed; the indices were rounded twice there (four digits, then three), so one unit is allowed."""
    assert row["df"] == df and row["chi2"] == pytest.approx(chi2, abs=0.06)
    assert {name: row[name] for name in indices} == pytest.approx(indices, abs=1e-3)


def kept_factors(found: Real) -> tuple[int, int]:
    (said,) = (text for text in found.result.structure.reading if "Parallel analysis" in text.template)
    return said.values["factors"], said.values["components"]


@pytest.mark.parametrize("name", NAMES)
def test_each_report_finds_its_trap(name, real):
    assert real(name).not_held >= TRAPS[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_finding_does_not_hang_on_a_name(name, real, shared_data, tmp_path):
    """The file and every column renamed: the same checks with the same words and figures."""
    frame, params = raw(name, shared_data), real(name).params
    new = {old: f"v{position}" for position, old in enumerate(frame.columns)}
    columns = {ours: " + ".join(new[part] for part in theirs.split(" + ")) for ours, theirs in params.columns.items()}
    items = [new[item] for item in params.items]
    renamed = changed(name, frame.rename(columns=new), tmp_path, columns=columns, items=items)
    assert renamed.checks == real(name).checks and renamed.not_held >= TRAPS[name]


# --- CDI: the sum score does not mean the same in four groups ---------------------------------------------------------


def test_cdi26_values(real):
    found = real("cdi26")
    assert coefficient(found, "alpha") == pytest.approx(0.8803, abs=5e-5)
    assert coefficient(found, "omega") == pytest.approx(0.8811, abs=6e-5)
    score = found.result.reliability.score
    assert term(score, "score_mean")["estimate"] == pytest.approx(6.8559, abs=5e-5)
    assert term(score, "score_sd")["estimate"] == pytest.approx(6.5281, abs=5e-5)
    has_fit(fit(found, "model_one_factor"), chi2=1714.4, df=299, cfi=0.927, tli=0.920, rmsea=0.046, rmsea_low=0.043,
            rmsea_high=0.048, srmr=0.063)  # fmt: skip
    assert kept_factors(found) == (5, 3)


def test_cdi26_alpha_by_group(real):
    table = real("cdi26").result.reliability.by_group.table
    alpha = table[table["term"] == "alpha"].set_index("subgroup")["estimate"].round(4).to_dict()
    assert alpha == {"White or Caucasian": 0.8776, "Latino.Hispanic": 0.8697, "Black/African-American": 0.8659,
                     "Asian/Pacific-Islander": 0.9097}  # fmt: skip


def test_cdi26_item_bias(real):
    """19 of 26 at p < .01 and 16 after Bonferroni on the rest score; the report counts on the whole score, after Holm."""
    data = real("cdi26").data
    found = dif(data.items, data.people["group"], reference="White or Caucasian", method="ordinal", match="rest",
                purify=False, flag="test", alpha=0.01)  # fmt: skip
    p_value = found.to_frame()["p_value"]
    assert (len(found.flagged), int((p_value < 0.05 / 26).sum())) == (19, 16)
    said = real("cdi26").checks["Groups may be compared by the sum score"].detail
    # 77 % of the items in the paper.
    assert (said.values["flagged"], said.values["k"]) == (20, 26)


def test_cdi26_groups_stand_too_far_apart(real):
    """Raw gaps of about three points, of which the items make half a point and more in the two large groups."""
    found = real("cdi26")
    shift = found.result.meaning.shift.table.set_index("subgroup")
    assert set(shift.index) == {"Latino.Hispanic", "Black/African-American", "Asian/Pacific-Islander"}
    large = shift.drop("Asian/Pacific-Islander")
    assert (large["conf_low"] > 0).all() and large["estimate"].between(0.4, 1.5).all()
    assert (shift["estimate"] < shift["observed"]).all()
    steps = found.result.meaning.steps.table
    assert set(steps["n_used"]) == {2290} and found.result.meaning.worst_shift >= 0.5
    assert found.light("meaning").state == "bad"
    assert set(found.result.meaning.items.table["n_used"]) == {2290}


def test_cdi26_gaps_are_the_raw_ones_when_nothing_is_merged(real, shared_data):
    """Means by group as published: White 5.0979, Black 8.2588, Latino 8.2638, Asian 6.8506."""
    found = Real.of("cdi26", shared_data, least_count=1)
    shift = found.result.meaning.shift.table.set_index("subgroup")["observed"]
    assert shift["Black/African-American"] == pytest.approx(8.2588 - 5.0979, abs=1e-4)
    assert shift["Latino.Hispanic"] == pytest.approx(8.2638 - 5.0979, abs=1e-4)
    assert shift["Asian/Pacific-Islander"] == pytest.approx(6.8506 - 5.0979, abs=1e-4)


# --- PCL-C: a high alpha over more than one factor, and answers left out -----------------------------------------------


def test_pclc17_values(real):
    found = real("pclc17")
    # .9399 is printed for alpha over pairs of answers; the report leaves incomplete people out, which is printed too.
    assert coefficient(found, "alpha") == pytest.approx(0.9407, abs=5e-5)
    assert coefficient(found, "omega") == pytest.approx(0.9414, abs=5e-5)
    score = found.result.reliability.score
    assert term(score, "score_mean")["estimate"] == pytest.approx(45.4535, abs=5e-5)
    assert term(score, "score_sd")["estimate"] == pytest.approx(14.5796, abs=5e-5)
    assert found.result.positives.proportion == pytest.approx(0.3663, abs=5e-5)
    has_fit(fit(found, "model_one_factor"), chi2=1397.6, df=119, cfi=0.887, rmsea=0.177)
    has_fit(fit(found, "king_four_factors"), chi2=430.5, df=113, cfi=0.972, tli=0.966, rmsea=0.090, rmsea_low=0.082,
            rmsea_high=0.100, srmr=0.051)  # fmt: skip


def test_pclc17_the_fixed_model_is_judged_and_not_the_best(real):
    found = real("pclc17")
    assert found.result.structure.chosen == "one_factor" and found.light("scale").state == "bad"
    said = found.checks["One factor carries the sum score"].detail
    assert said.values["alpha"].value > 0.94 and float(said.values["cfi"]) < 0.90


def test_pclc17_the_eighteen_without_a_score(real):
    found = real("pclc17")
    said = found.checks["Nearly everybody who answered has a score"].detail.values
    assert (said["n"].n, said["all"].n) == (18, 362)
    assert (said["low"].value, said["high"].value) == pytest.approx((126 / 362, 144 / 362))
    assert found.checks["Nearly all answered every item"].detail.values["n"].n == 18
    assert found.data.people["positive"].isna().sum() == 18 and found.result.counts.n == 344
    assert {name: value.n for (label, value) in found.result.flow for name in [label.template]}["scored"] == 344


@pytest.mark.parametrize("name", ["pclc17", "dass42", "stai"])
def test_an_impossible_coefficient_is_not_read_as_a_bad_one(name, real):
    """Omega for ordered answers has no value where a loading passes 1; the light then stands on the next coefficient."""
    found = real(name)
    assert pd.isna(coefficient(found, "omega_categorical")) and coefficient(found, "omega") > 0.9
    assert found.light("precise").state == "good"
    said = [text.template for text in analysis.answer(found.result, found.params)]
    assert any("is reliable enough" in text for text in said)


# --- STAI: reversed items, identifiers that begin anew, and a second time nobody dated --------------------------------


def test_stai_values(real, shared_data):
    found = real("stai")
    frame = pd.read_csv(shared_data / given("stai").source)
    first = frame[frame["time"] == 1]
    keyed = analysis.keyed_items(first[found.params.items], scale("stai_state"))
    # Printed over pairs of answers, as psych does; the codebook's key reaches it to the digit.
    spread = keyed.cov().to_numpy()
    assert 20 / 19 * (1 - spread.trace() / spread.sum()) == pytest.approx(0.9113, abs=5e-5)
    assert keyed.dropna().sum(axis=1).mean() == pytest.approx(39.5684, abs=5e-5) and len(keyed.dropna()) == 2931
    # The report leaves out whoever missed an item, and the six who name no person.
    assert coefficient(found, "alpha") == pytest.approx(0.9113, abs=1e-3)
    assert found.result.reliability.score.table["n_used"].iloc[0] == 2925


def test_stai_retest(real, shared_data, tmp_path):
    """Printed: .6864 of all, .8136 of the control studies, for means of whatever was answered; sums need every answer."""
    found = real("stai")
    retest = term(found.result.reliability.retest, "retest_pearson_r")
    assert retest["estimate"] == pytest.approx(0.6864, abs=0.005) and 1100 < retest["n_used"] < 1206
    frame = raw("stai", shared_data)
    control = changed("stai", frame[frame["study"].isin(["Cart", "Fast", "SHED", "SHOP"])], tmp_path)
    retest = term(control.result.reliability.retest, "retest_pearson_r")
    assert retest["estimate"] == pytest.approx(0.8136, abs=0.001) and 300 < retest["n_used"] <= 311


def test_stai_retest_as_printed_where_every_answer_is_there(real, shared_data):
    """The report's correlation is that of pandas on the same pupils."""
    frame = raw("stai", shared_data)
    names, book = real("stai").params.items, scale("stai_state")
    numbers = frame[names].apply(pd.to_numeric)
    turned = [names[number - 1] for number in book.reverse]
    numbers[turned] = 5 - numbers[turned]
    frame = frame.assign(total=numbers.sum(axis=1, skipna=False))
    whole = frame[~frame.duplicated(["study", "id", "time"], keep=False)]
    wide = whole.pivot(index=["study", "id"], columns="time", values="total")[["1", "2"]].dropna()
    retest = term(real("stai").result.reliability.retest, "retest_pearson_r")
    assert retest["n_used"] == len(wide)
    assert retest["estimate"] == pytest.approx(wide.corr().iloc[0, 1], abs=1e-12)


def test_stai_a_time_that_is_not_dated_is_said_to_be_unknown(real):
    check = real("stai").checks["The second time lies two to eight weeks later"]
    assert check.passed is None and "not recorded" in check.detail.template


def test_stai_reversed_items_are_turned_and_it_shows_when_they_are_not(real, shared_data, tmp_path, monkeypatch):
    found = real("stai")
    said = found.checks["Items worded in reverse were turned by the codebook"]
    assert said.passed and said.detail.values["n"] == 10
    assert said.detail.values["turned"].value > 0.9 and said.detail.values["given"].value < 0.7
    monkeypatch.setattr(analysis, "scale", lambda key: dataclasses.replace(scale(key), reverse=()))
    raw_key = changed("stai", raw("stai", shared_data), tmp_path, retest_wave=None)
    against = raw_key.checks["All items point the same way"]
    assert against.passed is False and against.detail.values["n"] == 10
    # Neither the single items nor alpha, which stays fair, would have shown it.
    assert (
        raw_key.checks["Every item runs with its scale"].passed and found.checks["All items point the same way"].passed
    )
    assert cronbach_alpha(raw_key.data.items).alpha == pytest.approx(said.detail.values["given"].value)


def test_stai_the_number_alone_names_nobody(shared_data, tmp_path):
    """Identifiers begin anew in every study: refused, and loudly counted where repeated rows may be dropped."""
    frame, alone = raw("stai", shared_data), {"pupil_pid": "id", "wave": "time"}
    with pytest.raises(DataError, match="pupil_pid") as error:
        changed("stai", frame, tmp_path, columns=alone, duplicates="refuse", retest_wave=None)
    assert "2911 rows occur more than once" in str(error.value)
    dropped = changed("stai", frame, tmp_path, columns=alone, duplicates="drop", retest_wave=None)
    once = dropped.checks["Every pupil stands in the wave once"]
    assert once.passed is False and once.detail.values["n"].n > 2500


def test_stai_the_whole_file_with_six_rows_that_name_no_person(shared_data):
    found = Real.of("stai", shared_data)
    once = found.checks["Every pupil stands in the wave once"]
    assert once.passed is False and once.detail.values["n"].n == 6
    assert len(found.data.people) == 3032 - 6


# --- DSI-SS: a past criterion, few cases, and a rarer disease elsewhere ------------------------------------------------


def test_dsiss_values(real):
    found = real("dsiss").result
    auc = term(found.accuracy.naive_roc, "auc")
    assert auc["estimate"] == pytest.approx(0.92377912, abs=1e-8)
    assert (auc["conf_low"], auc["conf_high"]) == pytest.approx((0.87562143, 0.97193681), abs=1e-8)
    naive = found.accuracy.naive
    assert (naive.tp, naive.fp, naive.fn, naive.tn) == (32, 68, 4, 428)
    printed = {"sensitivity": 0.8889, "specificity": 0.862903, "accuracy": 0.8647, "ppv": 0.32, "npv": 0.9907,
               "prevalence": 0.0677}  # fmt: skip
    assert {name: term(naive, name)["estimate"] for name in printed} == pytest.approx(printed, abs=5e-5)
    assert found.accuracy.corrected.code == "nothing_to_correct" and not isinstance(found.predictive, Refused)


def test_dsiss_other_cutoffs_and_sexes(real):
    found = real("dsiss").result
    every = found.cutoffs.every.table.set_index("cutoff")
    assert every.loc[3, ["sensitivity", "specificity"]].tolist() == pytest.approx([0.8056, 0.8871], abs=5e-5)
    assert every.loc[4, ["sensitivity", "specificity"]].tolist() == pytest.approx([0.7778, 0.9113], abs=5e-5)
    levels = found.fairness.levels.table
    girls = levels[(levels["subgroup"] == "sex_1") & (levels["term"] == "auc")].iloc[0]
    assert girls["estimate"] == pytest.approx(0.9446, abs=5e-5) and girls["n_used"] == 392
    # Nine cases among males are too few for a verdict on them, whatever their area.
    unjudged = found.fairness.unjudged.table
    assert "sex_0" in set(unjudged["subgroup"])


def test_dsiss_a_positive_screen_means_little_in_a_city(real):
    found = real("dsiss")
    assert term(found.result.carried, "ppv")["estimate"] < 0.04
    said = found.checks["A positive screen means the same where it shall be used"].detail.values
    assert said["here"].value == pytest.approx(0.32) and said["away"].high < 0.05
    assert found.checks["Enough cases behind the accuracy"].detail.values["n"].n == 36
    assert any("predict nothing" in text.template for text in analysis.answer(found.result, found.params))
    best = found.result.cutoffs.choices.table.set_index("term").loc["choose_youden"]
    assert best["cutoff"] == 2 and best["cutoff_low"] < best["cutoff_high"]


# --- Partial verification ----------------------------------------------------------------------------------------------


def test_hepatic_values(real):
    found = real("hepatic").result
    assert found.accuracy.naive.code == "unequal_verification"
    sens, spec = (term(found.accuracy.corrected, name) for name in ("sensitivity", "specificity"))
    assert (sens["estimate"], spec["estimate"]) == pytest.approx((0.836467, 0.738398), abs=1e-6)
    assert (sens["std_error"], spec["std_error"]) == pytest.approx((0.02449803, 0.03886268), abs=1e-7)
    printed = {"ppv": 0.8783, "npv": 0.6667, "prevalence": 0.6930}
    rows = {name: term(found.accuracy.corrected, name)["estimate"] for name in printed}
    assert rows == pytest.approx(printed, abs=5e-5)
    naive = found.bias.methods.table.query("group == 'method_uncorrected'").set_index("term")["estimate"]
    assert naive.to_dict() == pytest.approx({"sensitivity": 0.8953, "specificity": 0.6279}, abs=5e-5)
    cells = found.accuracy.cells.table[["n_case", "n_noncase", "n_unknown"]]
    assert cells.to_numpy().tolist() == [[231, 32, 166], [27, 54, 140]]
    assert found.accuracy.auc.table["interval"].iloc[0].template == "pupils drawn again, corrected"


def test_hepatic_nobody_unverified_becomes_a_noncase(real, shared_data, tmp_path):
    """306 have no finding and stay unknown; filled with "no disease" they contradict the file's own column, or the design."""
    found = real("hepatic")
    assert found.data.people["reference"].isna().sum() == 306
    frame = raw("hepatic", shared_data)
    filled = frame.assign(disease=frame["disease"].replace("", "0"))
    with pytest.raises(DataError, match="306 rows say verified and have no reference, or the reverse"):
        changed("hepatic", filled, tmp_path)
    as_all = changed("hepatic", frame, tmp_path, verification="all")
    assert "Those interviewed are those the design says" in as_all.not_held
    as_drawn = {"Those interviewed are those the design says": True}
    assert {name: found.checks[name].passed for name in as_drawn} == as_drawn


def test_diaphanography_values(real):
    found = real("diaphanography").result
    assert found.accuracy.naive.code == "unequal_verification"
    sens, spec = (term(found.accuracy.corrected, name) for name in ("sensitivity", "specificity"))
    assert (sens["estimate"], spec["estimate"]) == pytest.approx((0.2917, 0.9730), abs=5e-5)
    assert (sens["std_error"], spec["std_error"]) == pytest.approx((0.0802, 0.0076), abs=5e-5)
    printed = {"ppv": 0.7027, "npv": 0.8627, "prevalence": 0.1793}
    rows = {name: term(found.accuracy.corrected, name)["estimate"] for name in printed}
    assert rows == pytest.approx(printed, abs=5e-5)
    naive = found.bias.methods.table.query("group == 'method_uncorrected'").set_index("term")["estimate"]
    assert naive.to_dict() == pytest.approx({"sensitivity": 0.7879, "specificity": 0.8000}, abs=5e-5)


def test_diaphanography_turns_the_conclusion_round(real):
    said = real("diaphanography").checks["The correction leaves the conclusion standing"].detail.values
    assert said["naive"].value == pytest.approx(0.7879, abs=5e-5)
    assert said["corrected"].value == pytest.approx(0.2917, abs=5e-5) and said["corrected"].high < 0.5
    assert real("diaphanography").light("enough cases").state == "bad"


# --- DASS-42: coding that shifts every band, and people who came by themselves -----------------------------------------


def test_dass42_values(real):
    found = real("dass42")
    printed = {"depression": (0.9555, 0.9562), "anxiety": (0.9156, 0.9166), "stress": (0.9269, 0.9272)}
    for name, (alpha, omega) in printed.items():
        assert coefficient(found, "alpha", name) == pytest.approx(alpha, abs=5e-5)
        assert coefficient(found, "omega", name) == pytest.approx(omega, abs=5e-5)
    assert coefficient(found, "alpha") == pytest.approx(0.9696, abs=5e-5)
    score = found.result.reliability.score
    assert term(score, "score_mean")["estimate"] == pytest.approx(58.1070, abs=5e-5)
    assert term(score, "score_sd")["estimate"] == pytest.approx(29.7841, abs=5e-5)
    assert found.result.accuracy.naive.code == "no_reference" and found.result.positives.code == "no_cutoff"


def test_dass42_structure(real):
    found = real("dass42")
    assert found.result.structure.chosen == "codebook_factors"
    has_fit(fit(found, "model_codebook_factors"), chi2=17761.2, df=816, cfi=0.947, tli=0.944, rmsea=0.064, rmsea_low=0.064,
            rmsea_high=0.065, srmr=0.043)  # fmt: skip
    table = found.result.structure.factors.table
    pairs = {frozenset(row.group.split(" – ")): row.estimate for row in table.itertuples()}
    printed = {("depression", "anxiety"): 0.722, ("depression", "stress"): 0.801, ("anxiety", "stress"): 0.875}
    assert {pair: pairs[frozenset(pair)] for pair in printed} == pytest.approx(printed, abs=6e-4)
    # The eighth eigenvalue, .1065, lies within the chance of the simulated quantile (.106 to .108 over seeds).
    assert kept_factors(found) in {(7, 3), (8, 3)}


def test_dass42_coding_one_too_high_is_refused_with_its_remedy(shared_data):
    with pytest.raises(DataError, match="outside the range") as error:
        Real.of("dass42", shared_data, item_offset=0)
    assert "item_offset: -1" in str(error.value)


def test_dass42_groups_too_small_to_judge_are_counted(real):
    """8 did not say and 65 gave a third answer."""
    check = real("dass42").checks["Every group asked for can be looked at"]
    assert check.passed is False and check.detail.values["n"].n == 73


# --- The trap checks on made-up waves, where no file is needed ---------------------------------------------------------


def made_up(folder: Path, frame: pd.DataFrame, **changes) -> Real:
    frame = frame.assign(pupil_pid=[f"p{row}" for row in range(len(frame))])
    frame.to_csv(folder / "made_up.csv", index=False)
    mapping = {"evaluation": "screening_validity", "source": "made_up.csv", "as_of": "2026-01-01", "seed": 1, "cutoff": 2,
               "verification": "none", "reference_timing": "concurrent"} | changes  # fmt: skip
    return Real(mapping, folder)


def answers(n: int, gaps: int) -> pd.DataFrame:
    frame = pd.DataFrame({f"phq_2_{item}": [row % 4 for row in range(n)] for item in (1, 2)}, dtype="Int64")
    frame.loc[: gaps - 1, "phq_2_1"] = pd.NA
    return frame


@pytest.mark.parametrize(("gaps", "holds"), [(0, True), (4, True), (5, False), (40, False)])
def test_scores_that_are_lacking(tmp_path, gaps, holds):
    """One in a hundred may lack; the bounds add all of them, or none, to the positives."""
    found = made_up(tmp_path, answers(400, gaps), scale="phq_2")
    check = trap_checks.scored_as_answered(found.data, found.params)
    positives = sum(2 * (row % 4) >= 2 for row in range(gaps, 400))
    assert check.passed is holds and check.detail.values["n"].n == gaps
    assert check.detail.values["low"].value == pytest.approx(positives / 400)
    assert check.detail.values["high"].value == pytest.approx((positives + gaps) / 400)


def test_scores_that_are_lacking_without_a_cutoff_or_items(tmp_path):
    found = made_up(tmp_path, answers(400, 8), scale="phq_2", cutoff=None)
    check = trap_checks.scored_as_answered(found.data, found.params)
    assert check.passed is False and set(check.detail.values) == {"n", "all"}
    bare = made_up(tmp_path, pd.DataFrame({"score": [0, 2] * 20}), scale="")
    assert trap_checks.scored_as_answered(bare.data, bare.params) is None


def test_groups_asked_for(tmp_path):
    frame = pd.DataFrame({"score": [0, 2] * 150, "sex": [0] * 120 + [1] * 130 + [None] * 50}).astype({"sex": "Int64"})
    found = made_up(tmp_path, frame, scale="", groups=["sex"])
    check = trap_checks.groupings_are_whole(found.data, found.params)
    assert check.passed is False and check.detail.values["n"].n == 50
    whole = made_up(tmp_path, frame[:250], scale="", groups=["sex"])
    assert trap_checks.groupings_are_whole(whole.data, whole.params).passed is True
    absent = made_up(tmp_path, frame, scale="", groups=["sex", "boarding"])
    check = trap_checks.groupings_are_whole(absent.data, absent.params)
    assert check.passed is False and check.detail.values == {"absent": "boarding"}
    unasked = made_up(tmp_path, frame, scale="")
    assert trap_checks.groupings_are_whole(unasked.data, unasked.params) is None


@pytest.mark.parametrize(("prevalence", "holds"), [(0.20, True), (0.005, False), (None, None)])
def test_a_predictive_value_where_cases_are_as_rare_and_where_they_are_rarer(tmp_path, prevalence, holds):
    """Se .8, Sp .9 at 20 %: PPV = .16 / .24; at .5 % = .004 / .1035."""
    rows = [(2, 1)] * 80 + [(0, 1)] * 20 + [(2, 0)] * 40 + [(0, 0)] * 360
    frame = pd.DataFrame(rows, columns=["score", "reference"])
    found = made_up(tmp_path, frame, scale="", verification="all", local_prevalence=prevalence)
    check = trap_checks.predictive_value_travels(found.data, found.params)
    if holds is None:
        assert check is None
        return
    assert check.passed is holds and check.detail.values["here"].value == pytest.approx(80 / 120)
    away = 0.8 * prevalence / (0.8 * prevalence + 0.1 * (1 - prevalence))
    assert check.detail.values["away"].value == pytest.approx(away)


def test_a_predictive_value_needs_accuracy(tmp_path):
    """Corrected where a share of both sides was seen; nothing is said where one side was not."""
    rows = [(2, "1")] * 80 + [(0, "1")] * 20 + [(2, "0")] * 40 + [(0, "0")] * 60 + [(0, "")] * 300
    frame = pd.DataFrame(rows, columns=["score", "reference"])
    found = made_up(tmp_path, frame, scale="", verification="two_phase", local_prevalence=0.02)
    check = trap_checks.predictive_value_travels(found.data, found.params)
    assert check.passed is False and check.detail.values["here"].value == pytest.approx(80 / 120)
    one_sided = pd.concat([frame[frame["score"] == 2], frame.tail(300)], ignore_index=True)
    found = made_up(tmp_path, one_sided, scale="", verification="positives_only", local_prevalence=0.02)
    assert trap_checks.predictive_value_travels(found.data, found.params) is None
    nobody = made_up(tmp_path, frame[["score"]], scale="", local_prevalence=0.02)
    assert trap_checks.predictive_value_travels(nobody.data, nobody.params) is None
