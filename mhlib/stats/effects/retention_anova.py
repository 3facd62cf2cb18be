"""The mixed analysis of variance of three waves and two groups, only where nobody would be dropped by it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field

import pandas as pd

from mhlib.errors import DataError, DesignError
from mhlib.findings import Count, Refused, message
from mhlib.stats import inputs
from mhlib.stats.terms import term_frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixedAnovaResult:
    """Analysis of variance of one factor between people and one within.

    Attributes
    ----------
    table : pandas.DataFrame
        `term, estimate` (F)`, p_value, num_df, den_df, sum_of_squares, mean_square, eta_squared` (partial)`, epsilon`
        (Greenhouse-Geisser)`, p_corrected`; terms are the factors' names and 'interaction'.
    balanced : bool
        Equal groups; else within-person sums of squares are sequential, not type III.
    """

    table: pd.DataFrame = field(repr=False)
    balanced: bool
    n_used: int
    n_excluded: int
    method: str
    conf_level: float

    def to_frame(self) -> pd.DataFrame:
        """The table."""
        return self.table


def people_dropped(data: pd.DataFrame, *, outcome: str, within: str, between: str, subject: str) -> tuple[int, int]:
    """People that a complete-case analysis of variance would drop, and people in all.

    Parameters
    ----------
    data : DataFrame, one row a person and wave
        A wave may be missing as an empty value or as a row that is not there.

    Returns
    -------
    (int, int)

    Raises
    ------
    DataError
        A column the table lacks, a row without person or group or wave, two rows for one wave, a person in two groups.
    """
    rows = checked_rows(data, outcome=outcome, within=within, between=between, subject=subject)
    seen = rows.dropna(subset=[outcome]).groupby(subject, observed=True)[within].nunique()
    total = rows[subject].nunique()
    return int(total - (seen == rows[within].nunique()).sum()), int(total)


def mixed_anova_complete(
    data: pd.DataFrame, *, outcome: str, within: str, between: str, subject: str, conf_level: float = 0.95
) -> MixedAnovaResult | Refused:
    """Mixed analysis of variance (pingouin), refused when it would drop anybody.

    Parameters
    ----------
    data : DataFrame, one row a person and wave
    outcome, within, between, subject : str
        Columns: the score, the wave, the group, the person.
    conf_level : float
        Carried into the record.

    Returns
    -------
    MixedAnovaResult or Refused
        Refused (`anova_would_drop_people`) with the number when one wave of one person is missing: the mixed model of all
        rows is then the analysis, and the two can differ in their verdict.

    Raises
    ------
    DataError
        As :func:`people_dropped`.
    DesignError
        Fewer than two waves or groups, or a group of fewer than two people.

    Notes
    -----
    Teachers are taken as independent: schools are not allowed for. With unequal groups the sums of squares of the wave are
    sequential. Reference: Vallat (2018) JOSS 3:1026. Checked against: tests/oracle/training_anova.csv (R aov).
    """
    where = "mixed_anova_complete"
    inputs.open_unit(conf_level, where=where, name="conf_level")
    columns = {"outcome": outcome, "within": within, "between": between, "subject": subject}
    rows = checked_rows(data, **columns)
    lost, total = people_dropped(rows, **columns)
    if lost:
        return would_drop(lost, total)
    size = rows.drop_duplicates(subject)[between].value_counts()
    if rows[within].nunique() < 2 or (size > 0).sum() < 2 or size[size > 0].min() < 2:
        raise DesignError(where, "nothing to compare", allowed="two waves and two groups of two people or more")
    # Imported here because pingouin costs a second.
    from pingouin import mixed_anova

    with warnings.catch_warnings():
        # pingouin 0.7 calls pandas in ways that pandas is about to drop.
        warnings.simplefilter("ignore", DeprecationWarning)
        found = mixed_anova(data=rows, dv=outcome, within=within, between=between, subject=subject, correction=True)
    return MixedAnovaResult(
        table=table_of(found),
        balanced=bool(size[size > 0].nunique() == 1),
        n_used=total,
        n_excluded=0,
        method="mixed analysis of variance, complete, Greenhouse-Geisser beside it",
        conf_level=conf_level,
    )


def checked_rows(data: pd.DataFrame, *, outcome: str, within: str, between: str, subject: str) -> pd.DataFrame:
    """The four columns, each person and wave once."""
    where, columns = "mixed_anova_complete", [outcome, within, between, subject]
    if absent := [name for name in columns if name not in data]:
        raise DataError(where, f"the table has no column {', '.join(absent)}", allowed="columns of the table")
    rows = data[columns].copy()
    rows[outcome] = inputs.numeric(rows[outcome], where=where, name=outcome)
    problems = []
    if n := int(rows[[within, between, subject]].isna().any(axis=1).sum()):
        problems.append(f"{n} rows name no wave, group or person")
    if n := int(rows.duplicated([subject, within]).sum()):
        problems.append(f"{n} rows repeat a wave of a person")
    if n := int((rows.groupby(subject, observed=True)[between].nunique() > 1).sum()):
        problems.append(f"{n} people belong to two groups")
    if problems:
        raise DataError.of_many(where, problems, remedy="give each person one group and each wave one row")
    return rows


def would_drop(lost: int, total: int) -> Refused:
    """Refusal, code `anova_would_drop_people`."""
    return Refused(
        "anova_would_drop_people",
        message(
            "An analysis of variance would drop {lost} of {total} people who miss a wave, without a word: it is not shown. "
            "Read the mixed model, which uses every answer.",
            lost=Count(lost),
            total=Count(total),
        ),
        message("Nothing for this table: the mixed model is the analysis. Follow up those who miss a wave."),
    )


def table_of(found: pd.DataFrame) -> pd.DataFrame:
    """Pingouin's table under the house's names."""
    rows = []
    for row in found.to_dict("records"):
        rows.append(
            {"term": str(row["Source"]).lower() if row["Source"] == "Interaction" else row["Source"], "estimate": row["F"],
             "p_value": row["p_unc"], "num_df": row["DF1"], "den_df": row["DF2"], "sum_of_squares": row["SS"],
             "mean_square": row["MS"], "eta_squared": row["np2"], "epsilon": row.get("eps", math.nan),
             "p_corrected": row.get("p_GG_corr", math.nan)}
        )  # fmt: skip
    return term_frame(rows)
