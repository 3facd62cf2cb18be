"""What partial verification does: who was interviewed at which score, every correction, and how far the finding can bend."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from mhlib.analyses.parts.groups import grouping, present
from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.screening_accuracy import circular, verification_options
from mhlib.analyses.parts.sections import Drawn, nothing_to_correct, tried, without_reference
from mhlib.findings import Message, Refused, message
from mhlib.stats.accuracy import corrected_refusal, reference_error, verification_corrected, verification_sensitivity

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Bands of the score in which the share interviewed is shown.
BANDS = 6
IMPUTATIONS = 50
MEASURES = ("sensitivity", "specificity")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BiasSection:
    """Tables of the section; each may be a refusal."""

    bands: Drawn | Refused
    methods: Drawn | Refused
    surface: Drawn | Refused
    tipping: list[Message]
    reference_error: Drawn | Refused


def section(data: Screened, params: Params) -> BiasSection:
    """The panel on verification bias, and the interview that itself may err."""
    seen = data.interviewed
    refusal = without_reference() if seen.empty else circular(seen, data) or corrected_refusal(data.counts)
    whole = data.counts.n_verified == data.counts.n
    error = refusal or _reference_error(data, params)
    if refusal or whole:
        panel = refusal or nothing_to_correct()
        return BiasSection(bands=_bands(data, params), methods=panel, surface=panel, tipping=[], reference_error=error)
    surface, tipping = _surface(data, params)
    return BiasSection(bands=_bands(data, params), methods=_methods(data, params), surface=surface, tipping=tipping,
                       reference_error=error)  # fmt: skip


def _bands(data: Screened, params: Params) -> Drawn | Refused:
    """Share interviewed, and cases among them, by band of the score."""
    scored = data.scored
    if data.counts.n_verified == 0:
        return without_reference()
    points = data.whole_points
    edges = _edges(points, first_beyond(params))
    rows = []
    for low, high in pairwise(edges):
        here = scored[((points >= low) & (points < high)).to_numpy()]
        known = here[here["reference"].notna()]
        cases = int(known["reference"].astype(bool).sum())
        rows.append({"band": f"{low:g}–{high - 1:g}" if high - 1 > low else f"{low:g}", "n": len(here),
                     "n_interviewed": len(known), "interviewed_share": len(known) / max(len(here), 1), "n_case": cases})  # fmt: skip
    return Drawn(table=pd.DataFrame([row for row in rows if row["n"]]))


def first_beyond(params: Params) -> int | None:
    """The lowest score on the upper side of the cut-off: the cut-off itself, or the point above it where low is positive."""
    if params.cutoff is None or params.direction == ">=":
        return params.cutoff
    return params.cutoff + 1


def _edges(points: pd.Series, cutoff: int | None) -> list[float]:
    """Bounds of the bands; the cut-off is one of them."""
    low, high = float(points.min()), float(points.max()) + 1
    width = max(1.0, round((high - low) / BANDS))
    middle = low if cutoff is None else float(cutoff)
    below = [edge for step in range(BANDS, 0, -1) if (edge := middle - step * width) > low]
    above = [edge for step in range(BANDS) if low < (edge := middle + step * width) < high]
    return [low, *below, *above, high]


def _methods(data: Screened, params: Params) -> Drawn | Refused:
    """Sensitivity and specificity by every method, from the misleading to the corrected."""
    scored, seen = data.scored, data.scored["verified"].fillna(False).astype(bool)
    test, shared = scored["positive"].astype(bool), {"verified": seen, "conf_level": params.conf_level}
    if params.cluster:
        shared["cluster"] = scored[params.cluster]
    calls = {"begg_greenes": {"method": "begg_greenes"},
             "imputed": {"method": "mi", "m": IMPUTATIONS, "seed": params.seed}}  # fmt: skip
    if (covariates := _covariates(data, params)) is not None:
        calls["begg_greenes_covariates"] = {"method": "begg_greenes", "covariates": covariates}
    if (bands := score_bands(data, params)) is not None:
        calls["begg_greenes_bands"] = {"method": "begg_greenes", "covariates": bands}
    stated = verification_options(data, params)
    if stated["method"] == "ipw":
        calls["ipw_stated"] = {"method": "ipw", "verification_probability": stated["verification_probability"]}
    rows: list[pd.DataFrame] = []
    refused: Refused | None = None
    silent = []
    for name, options in calls.items():
        found = tried(verification_corrected, test, scored["reference"], **shared, **options)
        if isinstance(found, Refused):
            refused, silent = found, [*silent, name]
            continue
        if not rows and found.naive is not None:
            rows.append(_pair(found.naive, "uncorrected"))
        rows.append(_pair(found, name))
    if not rows:
        return refused
    table = pd.concat(rows, ignore_index=True).sort_values("term", kind="stable", ascending=True)
    lacking = [message("{what}: could not be estimated on these data.", what=NAMES[name]) for name in silent]
    return Drawn(table=table.reset_index(drop=True), share=True, lacking=tuple(lacking))


NAMES = {
    "begg_greenes": message("Begg and Greenes"), "begg_greenes_covariates": message("Begg and Greenes, by group"),
    "begg_greenes_bands": message("Begg and Greenes, by score"), "imputed": message("multiple imputation, by result"),
    "ipw_stated": message("weighted by the stated chances"),
}  # fmt: skip


def _pair(found: object, name: str) -> pd.DataFrame:
    frame = found.to_frame()
    frame = frame[frame["term"].isin(MEASURES)][["term", "estimate", "conf_low", "conf_high"]]
    return frame.assign(group=f"method_{name}", n_used=found.n_used)[
        ["group", "term", "estimate", "conf_low", "conf_high", "n_used"]
    ]


def _covariates(data: Screened, params: Params) -> pd.DataFrame | None:
    """Sex and level and the like, where the source has them for everyone; a missing one is a group of its own."""
    names = present(data.people, params.groups)[:2]
    if not names:
        return None
    columns = {name: grouping(data.scored, name).fillna("not stated") for name in names}
    return pd.DataFrame(columns)


def score_bands(data: Screened, params: Params) -> pd.DataFrame | None:
    """Band of the score as a covariate, where somebody was interviewed in every band: the interview often hung on it."""
    points, known = data.whole_points, data.scored["reference"].notna()
    edges = _edges(points, first_beyond(params))
    band = pd.cut(points, edges, right=False, labels=False).astype("Int64").astype("string").fillna("beyond")
    whole = known.groupby(band).any().all()
    return pd.DataFrame({"band": band.astype(object)}) if whole and band.nunique() > 2 else None


def _surface(data: Screened, params: Params) -> tuple[Drawn | Refused, list[Message]]:
    """Sensitivity if, at an equal screening result, cases were interviewed more or less often than non-cases."""
    scored, seen = data.scored, data.scored["verified"].fillna(False).astype(bool)
    found = tried(
        verification_sensitivity, scored["positive"].astype(bool), scored["reference"], verified=seen,
        cluster=scored[params.cluster] if params.cluster else None, thresholds={"sensitivity": params.target_sensitivity},
        covariates=score_bands(data, params), conf_level=params.conf_level,
    )  # fmt: skip
    if isinstance(found, Refused):
        return found, []
    table = found.to_frame().query("term == 'sensitivity'")
    table = pd.DataFrame({"row": table["odds_ratio_positive"].map("{:g}".format), "value_shown": table["estimate"],
                          "across": table["odds_ratio_negative"].map("{:g}".format), "n_used": found.n_used})  # fmt: skip
    drawn = Drawn(table=table.reset_index(drop=True), share=True,
                  x_axis=message("odds ratio among screen-negatives"),
                  y_axis=message("odds ratio among screen-positives"))  # fmt: skip
    return drawn, [_tipping(row) for row in found.tipping.itertuples() if row.side == "negative"]


def _tipping(row: object) -> Message:
    """At which dependence the sensitivity would cross the target, in words."""
    if row.odds_ratio == 1:
        return message("The sensitivity stands below {target} already; no dependence of the interview is needed for that.",
                       target=f"{100 * row.threshold:.0f}%")  # fmt: skip
    if pd.isna(row.odds_ratio):
        return message("No dependence of the interview on the true state of screen-negatives within the bounds looked at would "
                       "move the sensitivity across {target}.", target=f"{100 * row.threshold:.0f}%")  # fmt: skip
    return message("The sensitivity would cross {target} if screen-negative cases had {odds} times the odds of non-cases to be "
                   "interviewed; 1 is the supposition of the correction.", target=f"{100 * row.threshold:.0f}%",
                   odds=f"{row.odds_ratio:.2f}")  # fmt: skip


def _reference_error(data: Screened, params: Params) -> Drawn | Refused:
    """The screen's accuracy if the interview itself finds or clears wrongly, one error at a time.

    The errors of screen and interview are taken as independent.
    """
    scored, seen = data.scored, data.scored["verified"].fillna(False).astype(bool)
    whole = data.counts.n_verified == data.counts.n
    found = tried(reference_error, scored["positive"].astype(bool), scored["reference"], verified=seen,
                  covariates=None if whole else score_bands(data, params),
                  cluster=scored[params.cluster] if params.cluster else None, conf_level=params.conf_level)  # fmt: skip
    if isinstance(found, Refused):
        return found
    frame = found.to_frame()
    one_error = (frame["reference_sensitivity"] == 1) | (frame["reference_specificity"] == 1)
    frame = frame[frame["term"].isin(MEASURES) & one_error]
    shown = frame["admissible"].astype(bool)
    table = frame.assign(
        interview_sensitivity=frame["reference_sensitivity"], interview_specificity=frame["reference_specificity"],
        **{name: frame[name].where(shown) for name in ("estimate", "conf_low", "conf_high")}, n_used=found.n_used,
    )  # fmt: skip
    names = ["interview_sensitivity", "interview_specificity", "term", "estimate", "conf_low", "conf_high", "n_used"]
    return Drawn(table=table.sort_values(["term", *names[:2]])[names].reset_index(drop=True))
