"""Screen against interview: who has which score, the naive table, the corrected one, other scales and other references."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import (
    Drawn,
    Listed,
    nothing_to_correct,
    refused_design,
    tried,
    without_cutoff,
    without_reference,
)
from mhlib.errors import DesignError
from mhlib.findings import Refused, message
from mhlib.stats.accuracy import (
    RocResult,
    TwoByTwo,
    VerificationCorrected,
    auc_intervals,
    circular_criterion_refusal,
    compare_roc,
    corrected_refusal,
    naive_accuracy_refusal,
    roc,
    two_by_two_from_rows,
    verification_corrected,
    verification_corrected_roc,
)

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AccuracySection:
    """Tables and curves of the section; each may be a refusal."""

    cells: Drawn | Refused
    histogram: Drawn | Refused
    naive: TwoByTwo | Refused
    naive_roc: RocResult | Refused
    uncorrected_roc: RocResult | Refused
    corrected: VerificationCorrected | Refused
    corrected_roc: RocResult | Refused
    auc: Drawn | Refused
    scales: Drawn | Refused
    references: Drawn | Refused


def section(
    data: Screened, params: Params, scores: pd.DataFrame | None, references: pd.DataFrame | None
) -> AccuracySection:
    """Everything that the interviews can say of the score.

    Parameters
    ----------
    scores, references : DataFrame or None
        Other scales and other reference standards by pupil (`data/companions.py`).
    """
    naive, naive_roc = naive_accuracy(data, params)
    corrected, corrected_roc = corrected_accuracy(data, params)
    return AccuracySection(
        cells=_cells(data), histogram=_histogram(data, params), naive=naive, naive_roc=naive_roc,
        uncorrected_roc=_uncorrected(data, params, naive_roc, corrected_roc), corrected=corrected, corrected_roc=corrected_roc,
        auc=_auc(data, params, corrected_roc, naive_roc), scales=_scales(data, params, corrected_roc, naive_roc, scores),
        references=_references(data, params, references),
    )  # fmt: skip


def circular(seen: pd.DataFrame, data: Screened) -> Refused | None:
    """Refusal where the reference is a cut of the score or of one of its items."""
    items = None if data.items is None else data.items.loc[seen.index]
    return circular_criterion_refusal(seen["score"], seen["reference"].astype(bool), items=items)


def cluster_of(people: pd.DataFrame, params: Params) -> pd.Series | None:
    """The column of the clusters, where one is named."""
    return people[params.cluster] if params.cluster else None


def naive_accuracy(data: Screened, params: Params) -> tuple[TwoByTwo | Refused, RocResult | Refused]:
    """Accuracy among those interviewed; refused unless a like share of both sides was."""
    seen = data.interviewed
    refusal = without_reference() if seen.empty else circular(seen, data) or naive_accuracy_refusal(data.counts)
    if refusal:
        return refusal, refusal
    case, shared = (
        seen["reference"].astype(bool),
        {"cluster": cluster_of(seen, params), "conf_level": params.conf_level},
    )
    try:
        table = two_by_two_from_rows(seen["positive"].astype(bool), case, **shared)
        return table, roc(seen["score"], case, direction=params.direction, **shared)
    except DesignError as error:
        return (refused_design(error),) * 2


def corrected_accuracy(data: Screened, params: Params) -> tuple[VerificationCorrected | Refused, RocResult | Refused]:
    """Accuracy among everyone screened, with those not interviewed put back in."""
    seen = data.interviewed
    refusal = without_reference() if seen.empty else circular(seen, data) or corrected_refusal(data.counts)
    if not refusal and data.counts.n_verified == data.counts.n:
        refusal = nothing_to_correct()
    if refusal:
        return refusal, refusal
    scored, shared = data.scored, verification_options(data, params)
    try:
        table = verification_corrected(scored["positive"].astype(bool), scored["reference"], **shared)
        bands = {} if "verification_probability" in shared else {"bands": [params.cutoff]}
        curve = verification_corrected_roc(
            data.whole_points, scored["reference"], seed=params.seed, direction=params.direction, n_boot=params.n_boot,
            **shared | {"method": "ipw"} | bands,
        )  # fmt: skip
        return table, curve
    except DesignError as error:
        return (refused_design(error),) * 2


def verification_options(data: Screened, params: Params) -> dict[str, object]:
    """How to put the unverified back: by the stated chances where they are known, else by the screening result."""
    scored = data.scored
    seen = scored["verified"].fillna(False).astype(bool)
    shared = {"verified": seen, "cluster": cluster_of(scored, params), "conf_level": params.conf_level}
    chance = scored.get("verification_probability")
    if chance is None or chance[seen].isna().any():
        return shared | {"method": "begg_greenes"}
    return shared | {"method": "ipw", "verification_probability": chance}


def _cells(data: Screened) -> Drawn | Refused:
    """Screen against interview, with those whose state nobody knows in cells of their own."""
    counts = data.counts
    if counts.n_verified == 0:
        return without_reference()
    rows = [("screen_positive", counts.tp, counts.fp, counts.positive_unverified),
            ("screen_negative", counts.fn, counts.tn, counts.negative_unverified)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["group", "n_case", "n_noncase", "n_unknown"])
    return Drawn(table=table.assign(n=table[["n_case", "n_noncase", "n_unknown"]].sum(axis=1)))


def _histogram(data: Screened, params: Params) -> Drawn | Refused:
    """People by whole points: cases, non-cases, and those nobody interviewed."""
    scored, points = data.scored, data.whole_points
    state = np.where(scored["reference"].isna(), "state_unknown",
                     np.where(scored["reference"].fillna(False).astype(bool), "state_case", "state_noncase"))  # fmt: skip
    counts = pd.DataFrame({"group": state, "score_low": points.to_numpy()}).value_counts().rename("n").reset_index()
    order = {"state_case": 0, "state_noncase": 1, "state_unknown": 2}
    counts = counts.assign(score_high=counts["score_low"], place=counts["group"].map(order)).sort_values(
        ["place", "score_low"]
    )
    table = counts[["group", "score_low", "score_high", "n"]].reset_index(drop=True)
    # Where low scores are positive the line stands above the last of them.
    beyond = None if params.cutoff is None else float(params.cutoff + (params.direction == "<="))
    return Drawn(table=table, mark=beyond)


def _uncorrected(data: Screened, params: Params, naive: object, corrected: object) -> RocResult | Refused:
    """The curve of those interviewed, drawn beside the corrected one as a warning where it would mislead."""
    if isinstance(corrected, Refused):
        return naive
    seen = data.interviewed
    return tried(roc, seen["score"].astype(float), seen["reference"].astype(bool), direction=params.direction,
                 cluster=cluster_of(seen, params), conf_level=params.conf_level)  # fmt: skip


def _auc(data: Screened, params: Params, corrected: object, naive: object) -> Drawn | Refused:
    """The area by every method that the design allows, each named."""
    if isinstance(corrected, Refused) and isinstance(naive, Refused):
        return corrected
    seen, weights = data.interviewed, None if isinstance(corrected, Refused) else data.interview_weights
    parts = []
    if not isinstance(corrected, Refused):
        drawn = (
            message("schools drawn again, corrected") if params.cluster else message("pupils drawn again, corrected")
        )
        parts.append(corrected.to_frame().assign(term="auc", interval=drawn))
    if weights is not None or isinstance(corrected, Refused):
        found = tried(auc_intervals, seen["score"].astype(float), seen["reference"].astype(bool), seed=params.seed,
                      cluster=cluster_of(seen, params), weights=weights, direction=params.direction, n_boot=params.n_boot,
                      conf_level=params.conf_level)  # fmt: skip
        if not isinstance(found, Refused):
            frame = found.to_frame()
            parts.append(frame.assign(interval=[AREAS[name] for name in frame["term"]], term="auc"))
    if not parts:
        return corrected
    table = pd.concat(parts)[["term", "estimate", "conf_low", "conf_high", "interval", "n_used"]]
    return Drawn(table=table.reset_index(drop=True))


AREAS = {
    "delong": message("DeLong"), "linearised": message("linearised"), "obuchowski": message("Obuchowski, by school"),
    "bootstrap_people": message("pupils drawn again"), "bootstrap_clusters": message("schools drawn again"),
    "bootstrap_stratified": message("pupils drawn again"),
}  # fmt: skip


def _scales(
    data: Screened, params: Params, corrected: object, naive: object, scores: pd.DataFrame | None
) -> Drawn | Refused:
    """Areas of this and the other scales on the same interviewed pupils, and their differences."""
    if scores is None or scores.empty:
        return without_other_scales()
    if isinstance(corrected, Refused) and isinstance(naive, Refused):
        return corrected
    seen = data.interviewed
    own = seen["score"].astype(float) * (1 if params.direction == ">=" else -1)
    every = scores.reindex(seen["pupil_pid"].astype(str)).set_axis(seen.index, axis=0)
    both = pd.concat({shown(params.scale): own, **{shown(name): every[name] for name in every}}, axis=1)
    whole = both.notna().all(axis=1)
    weights = None if isinstance(corrected, Refused) else data.interview_weights
    if not isinstance(corrected, Refused) and weights is None:
        return corrected_only()
    found = tried(compare_roc, both[whole], seen.loc[whole, "reference"].astype(bool), cluster=cluster_of(seen[whole], params),
                  weights=None if weights is None else weights[whole], conf_level=params.conf_level)  # fmt: skip
    if isinstance(found, Refused):
        return found
    frame = found.to_frame()
    frame["group"], frame["term"] = frame["term"], np.where(frame["term"].isin(both.columns), "auc", "auc_difference")
    return Drawn(table=frame[["group", "term", "estimate", "conf_low", "conf_high", "p_value", "n_used"]])


def shown(key: str) -> str:
    """A codebook's key as readers know the instrument: PHQ-9 for phq_9."""
    return key.upper().replace("_", "-") or "score"


def without_other_scales() -> Refused:
    """No comparison with a single scale."""
    return Refused(
        "no_other_scale",
        message("No other scale was named, so whether a shorter or another one would do as well is not known."),
        message("Answers of the same pupils to another scale, named under parameter other_scales."),
    )


def corrected_only() -> Refused:
    """No comparison of scales without the chances of the interview."""
    return Refused(
        "no_chances",
        message(
            "The chances of the interview are not stated, so scales other than this one cannot be corrected for it."
        ),
        message("The chance with which each pupil was drawn, as column verification_probability."),
    )


def _references(data: Screened, params: Params, references: pd.DataFrame | None) -> Drawn | Refused:
    """The same cut-off against other reference standards."""
    if references is None or references.empty:
        return Refused(
            "no_other_reference",
            message("One reference standard only: how the figures hang on its definition cannot be seen."),
            message("A second definition of a case, named under parameter other_references."),
        )
    if params.cutoff is None or data.counts.n_verified == 0:
        return without_cutoff() if params.cutoff is None else without_reference()
    scored, options = data.scored, verification_options(data, params)
    everyone = data.counts.n_verified == data.counts.n
    found = []
    for name in references:
        reference = references[name].reindex(scored["pupil_pid"].astype(str)).set_axis(scored.index, axis=0)
        call = _against_all if everyone else _against_some
        found.append((name, tried(call, scored["positive"].astype(bool), reference, options, params)))
    known = [(name, result) for name, result in found if not isinstance(result, Refused)]
    if not known:
        return found[0][1]
    table = Listed.of(known, terms=("sensitivity", "specificity", "ppv", "prevalence")).table
    return Drawn(table=table[["group", "term", "estimate", "conf_low", "conf_high", "n_used"]])


def _against_all(test: pd.Series, reference: pd.Series, options: dict, params: Params) -> TwoByTwo:
    known = reference.notna()
    return two_by_two_from_rows(test[known], reference[known].astype(bool), cluster=options["cluster"][known]
                                if options["cluster"] is not None else None, conf_level=params.conf_level)  # fmt: skip


def _against_some(test: pd.Series, reference: pd.Series, options: dict, params: Params) -> VerificationCorrected:
    return verification_corrected(test, reference, **options | {"verified": reference.notna()})
