"""The two-way fixed effects of a panel beside the group-time estimate, and estimators taken from diff-diff."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd

from mhlib.errors import DesignError
from mhlib.stats.effects.did_inference import Inferred, welch
from mhlib.stats.effects.did_panel import Panel
from mhlib.stats.effects.did_record import TwoWayResult
from mhlib.stats.effects.robust_fit import linear_of
from mhlib.stats.effects.robust_sums import sums_of_rows

CONTROL_GROUPS = {"never": "never_treated", "not_yet": "not_yet_treated"}
BACON = {
    "treated_never": "treated_vs_never",
    "earlier_later": "earlier_vs_later",
    "later_earlier": "later_vs_earlier",
}


def two_way(panel: Panel, *, weighted: bool, conf_level: float) -> TwoWayResult:
    """Two-way fixed effects with CR2 by school, and Goodman-Bacon's weights."""
    import diff_diff

    fit = two_way_fit(panel, conf_level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        design = diff_diff.SurveyDesign(weights="w") if weighted else None
        bacon = diff_diff.BaconDecomposition().fit(
            long_frame(panel), "y", "school", "term", "first", survey_design=design
        )
    shares = {ours: float(getattr(bacon, f"total_weight_{theirs}")) for ours, theirs in BACON.items()}
    averages = {ours: getattr(bacon, f"weighted_avg_{theirs}") for ours, theirs in BACON.items()}
    numbers = {name: float(getattr(fit, many)[0]) for name, many in
               (("estimate", "estimates"), ("std_error", "std_errors"), ("df", "df"), ("p_value", "p_values"),
                ("conf_low", "conf_low"), ("conf_high", "conf_high"))}  # fmt: skip
    return TwoWayResult(
        **numbers,
        shares=shares,
        averages={name: math.nan if one is None else float(one) for name, one in averages.items()},
        forbidden=shares["later_earlier"],
    )


def two_way_fit(panel: Panel, conf_level: float) -> object:
    """Regression of outcome on programme, schools and terms; school effects are absorbed, weights scale each school."""
    g, n_terms = panel.y.shape
    under = (np.arange(n_terms) >= panel.first[:, None]).astype(float)
    dummies = np.broadcast_to(np.eye(n_terms)[:, 1:], (g, n_terms, n_terms - 1))
    x = np.concatenate([under[:, :, None], dummies], axis=2)
    scale = np.sqrt(panel.weights / panel.weights.mean())[:, None]
    y = scale * (panel.y - panel.y.mean(axis=1, keepdims=True))
    x = scale[:, :, None] * (x - x.mean(axis=1, keepdims=True))
    names = ("programme", *(f"term {t}" for t in range(1, n_terms)))
    sums = sums_of_rows(
        x.reshape(g * n_terms, -1), y.ravel(), np.repeat(np.arange(g), n_terms), names=names, weights=None,
        clusters=panel.schools, strata=None, n_absorbed=g,
    )  # fmt: skip
    return linear_of(sums, kind="CR2", estimand="pupil", n_excluded=panel.n_excluded, conf_level=conf_level)


def long_frame(panel: Panel) -> pd.DataFrame:
    """The panel as rows, with plain numbers for schools, terms (from 1) and starts (0 for never)."""
    g, n_terms = panel.y.shape
    rows = pd.DataFrame(
        {
            "school": np.repeat(np.arange(g), n_terms),
            "term": np.tile(np.arange(1, n_terms + 1), g),
            "y": panel.y.ravel(),
            "first": np.repeat(np.where(panel.never, 0, panel.first + 1), n_terms),
            "w": np.repeat(panel.weights, n_terms),
        }
    )
    for j in range(panel.covariates.shape[1]):
        rows[f"x{j}"] = np.repeat(panel.covariates[:, j], n_terms)
    return rows


def library_effects(
    panel: Panel, *, estimator: str, control: str, weighted: bool, labels: list[str]
) -> tuple[list[str], list[str], Inferred]:
    """Terms, aggregations and effects by diff-diff; t with one less than the smaller side's schools (and covariates)."""
    import diff_diff

    treated = int((~panel.never).sum())
    side = min(treated, len(panel.first) - treated) if panel.never.any() else np.bincount(panel.first).max()
    df = float(side - 1 - panel.covariates.shape[1])
    options = {"cluster": "school"}
    call = {"survey_design": diff_diff.SurveyDesign(weights="w") if weighted else None}
    if estimator == "did2s":
        model = diff_diff.TwoStageDiD(**options)
    elif estimator == "sun_abraham":
        model = diff_diff.SunAbraham(control_group=CONTROL_GROUPS[control], **options)
    else:
        model = diff_diff.CallawaySantAnna(control_group=CONTROL_GROUPS[control], base_period="universal", **options)
        call["covariates"] = [f"x{j}" for j in range(panel.covariates.shape[1])]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = model.fit(long_frame(panel), "y", "school", "term", "first", **call)
            rows, dynamic = library_rows(found, estimator, labels)
    except ValueError as error:
        raise DesignError(
            "did_staggered(method)",
            f"'{estimator}' cannot be fitted to these schools and terms ({type(error).__name__})",
            allowed="schools that never began, and a term before the start",
            remedy="use method='callaway_santanna' without covariates, which says what is lacking",
        ) from None
    terms, kinds, estimates, errors = ([row[i] for row in rows] for i in range(4))
    covariance = np.full((len(rows), len(rows)), np.nan)
    np.fill_diagonal(covariance, np.square(errors))
    where = [terms.index(f"e={e}") for e in dynamic[0]]
    covariance[np.ix_(where, where)] = dynamic[1]
    parts, cohort_df = covariance[None], np.array([df])
    variances, own = welch(parts, cohort_df)
    return terms, kinds, Inferred(np.array(estimates), np.sqrt(variances), own, parts, cohort_df)


def library_rows(found: object, estimator: str, labels: list[str]) -> tuple[list[tuple], tuple[list[int], np.ndarray]]:
    """(term, aggregation, estimate, error) of what the estimator has, and event times with their covariance."""
    rows = []
    if estimator == "sun_abraham":
        effects = {(g, g + e): each for (g, e), each in found.cohort_effects.items()}
        events, vcov, index = found.event_study_effects, found.event_study_vcov, found.event_study_vcov_index
        each = [(int(e), one["effect"], one["se"]) for e, one in events.items()]
    else:
        effects = getattr(found, "group_time_effects", {})
        surface = found.aggregate("event_study")
        each = [(int(e), b, s) for e, b, s, ref in
                zip(surface.event_time, surface.att, surface.se, surface.is_reference, strict=True) if not ref]  # fmt: skip
        vcov, index = surface.vcov, surface.vcov_index
        if vcov is None:
            vcov, index = np.diag([s**2 for _, _, s in each]), [e for e, _, _ in each]
    for (g, t), one in effects.items():
        if np.isfinite(one["se"]):
            rows.append((f"g={labels[int(g) - 1]},t={labels[int(t) - 1]}", "group_time", one["effect"], one["se"]))
    rows += [(f"e={e}", "dynamic", b, s) for e, b, s in each]
    if hasattr(found, "aggregate"):
        group = found.aggregate("group")
        rows += [
            (f"g={labels[int(g) - 1]}", "group", b, s) for g, b, s in zip(group.label, group.att, group.se, strict=True)
        ]
    rows.append(("overall", "overall", found.overall_att, found.overall_se))
    known = {e for e, _, _ in each}
    keep = [i for i, e in enumerate(index) if int(e) in known]
    return rows, ([int(index[i]) for i in keep], np.asarray(vcov)[np.ix_(keep, keep)])
