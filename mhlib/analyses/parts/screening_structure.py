"""What the items measure together: how many factors, how well the stated models fit, and where they do not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mhlib.analyses.parts.screened import Screened
from mhlib.analyses.parts.sections import Drawn, item_number, tried, without_items
from mhlib.data.scales import Scale
from mhlib.findings import Message, Refused, message
from mhlib.stats.measurement import cfa, efa, parallel_analysis, sampling_adequacy

if TYPE_CHECKING:
    from mhlib.analyses.screening_validity import Params

# Weighted least squares needs the covariance of every pair of correlations: beyond so many items that is a table of
# millions, and the model is fitted to the answers as numbers instead.
MOST_ORDINAL_ITEMS, MOST_CATEGORIES = 50, 10
# Hu & Bentler (1999) for good; Browne & Cudeck (1992) and common use for what still may pass.
GOOD, FAIR = {"cfi": 0.95, "rmsea": 0.06, "srmr": 0.08}, {"cfi": 0.90, "rmsea": 0.08, "srmr": 0.10}
REPLICATES = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StructureSection:
    """Tables of the section; each may be a refusal. `chosen` is the model fixed beforehand."""

    chosen: str
    estimator: str
    fits: Drawn | Refused
    loadings: Drawn | Refused
    factors: Drawn | Refused
    residuals: Drawn | Refused
    scree: Drawn | Refused
    explored: Drawn | Refused
    reading: list[Message]


def section(data: Screened, params: Params) -> StructureSection:
    """Number of factors and fit of every model named in the parameters."""
    if data.items is None:
        lacking = dict.fromkeys(("fits", "loadings", "factors", "residuals", "scree", "explored"), without_items())
        return StructureSection(chosen="", estimator="", reading=[], **lacking)
    models = params.models or default_models(data.scale)
    chosen, estimator = next(iter(models)), estimator_for(data, params)
    fitted = {name: fit_of(data, model, estimator, params) for name, model in models.items()}
    scree, reading = _scree(data, params)
    first = fitted[chosen]
    return StructureSection(
        chosen=chosen, estimator=estimator, fits=_fits(fitted, data), loadings=_loadings(first), factors=_factors(first),
        residuals=_residuals(first), scree=scree, explored=_explored(data, params), reading=reading,
    )  # fmt: skip


def default_models(book: Scale) -> dict[str, str]:
    """The codebook's own subscales as correlated factors, if they share no item; else one factor."""
    numbers = [number for items in book.subscales.values() for number in items]
    one = "total =~ " + " + ".join(f"item_{number}" for number in book.total_items)
    factors = {
        name: items for name, items in book.subscales.items() if len(items) > 2 and set(items) <= set(book.total_items)
    }
    if len(factors) < 2 or len(numbers) != len(set(numbers)):
        return {"one_factor": one}
    text = "\n".join(f"{name} =~ " + " + ".join(f"item_{n}" for n in items) for name, items in factors.items())
    return {"codebook_factors": text, "one_factor": one}


def estimator_for(data: Screened, params: Params) -> str:
    """Ordered answers by weighted least squares; many items or steps by robust maximum likelihood."""
    if params.estimator:
        return params.estimator
    few = data.items.nunique().max() <= MOST_CATEGORIES and data.items.shape[1] <= MOST_ORDINAL_ITEMS
    return "wlsmv" if few else "mlr"


def fit_of(data: Screened, model: str, estimator: str, params: Params) -> object:
    """A fitted model, or the refusal in its place."""
    options = {"least_count": params.least_count} if estimator == "wlsmv" else {}
    return tried(cfa, data.items, model, estimator=estimator, std_lv=True, conf_level=params.conf_level, **options)


def scaled_fit(found: object) -> dict[str, float]:
    """Scaled fit of a model under either estimator: chi2, df, p_value, cfi, tli, rmsea with limits, srmr."""
    if isinstance(found.fit, pd.DataFrame):
        return found.fit.loc["scaled"].to_dict()
    return {name: getattr(found.fit, name) for name in FIT}


def _fits(fitted: dict[str, object], data: Screened) -> Drawn | Refused:
    rows = []
    for name, found in fitted.items():
        if isinstance(found, Refused):
            continue
        kinds = found.fit.index if isinstance(found.fit, pd.DataFrame) else ["scaled"]
        for kind in kinds:
            fit = found.fit.loc[kind].to_dict() if isinstance(found.fit, pd.DataFrame) else scaled_fit(found)
            rows.append({"model": f"model_{name}" if name in ("one_factor", "codebook_factors") else name,
                         "test": f"fit_{kind}", **{key: fit.get(key, math.nan) for key in FIT}, "n_used": found.n_used})  # fmt: skip
    return Drawn(table=pd.DataFrame(rows)) if rows else next(iter(fitted.values()))


FIT = ("chi2", "df", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr")


def _standardised(found: object) -> pd.DataFrame:
    """Standardised solution with its interval, under either estimator."""
    frame = found.standardised if hasattr(found, "standardised") else found.estimates
    renamed = {"std": "estimate", "std_low": "conf_low", "std_high": "conf_high"}
    return (
        frame if hasattr(found, "standardised") else frame.drop(columns=list(renamed.values())).rename(columns=renamed)
    )


def _loadings(found: object) -> Drawn | Refused:
    if isinstance(found, Refused):
        return found
    rows = _standardised(found).query("op == '=~'")
    table = pd.DataFrame({"item": rows["rhs"].map(item_number), "factor": rows["lhs"], "loading": rows["estimate"],
                          "loading_low": rows["conf_low"], "loading_high": rows["conf_high"]})  # fmt: skip
    return Drawn(table=table.assign(n_used=found.n_used).reset_index(drop=True))


def _factors(found: object) -> Drawn | Refused:
    """Correlations of the factors, where there are several."""
    if isinstance(found, Refused):
        return found
    rows = _standardised(found)
    names = set(rows.query("op == '=~'")["lhs"])
    rows = rows[(rows["op"] == "~~") & rows["lhs"].isin(names) & (rows["lhs"] != rows["rhs"])]
    if rows.empty:
        return Refused(
            "one_factor",
            message("The model has a single factor, so there is no correlation between factors to report."),
            message("Nothing."),
        )
    table = rows[["estimate", "conf_low", "conf_high"]].assign(
        group=rows["lhs"] + " – " + rows["rhs"], n_used=found.n_used
    )
    return Drawn(table=table[["group", "estimate", "conf_low", "conf_high", "n_used"]].reset_index(drop=True))


def _residuals(found: object) -> Drawn | Refused:
    """What of each correlation the model does not explain."""
    if isinstance(found, Refused):
        return found
    matrix = next(iter(found.residuals.values()))
    below = np.tril(np.ones(matrix.shape, dtype=bool), -1)
    rows = [{"row": item_number(a), "across": item_number(b), "value_shown": float(matrix.loc[a, b])}
            for i, a in enumerate(matrix.index) for j, b in enumerate(matrix.columns) if below[i, j]]  # fmt: skip
    return Drawn(
        table=pd.DataFrame(rows).assign(n_used=found.n_used), scale=0.10, x_axis=message("item"), y_axis=message("item")
    )


def _explored(data: Screened, params: Params) -> Drawn | Refused:
    """Loadings when the factors are sought in the data, as many as parallel analysis of the components keeps."""
    columns = [f"item_{number}" for number in data.scale.total_items]
    kept = tried(parallel_analysis, data.items[columns], seed=params.seed, n_iter=REPLICATES)
    if isinstance(kept, Refused):
        return kept
    if kept.n_components < 2:
        return Refused("one_component", message("Parallel analysis of the components keeps a single one: nothing is to be sought."),
                       message("Nothing."))  # fmt: skip
    found = tried(efa, data.items[columns], min(kept.n_components, len(columns) // 3))
    if isinstance(found, Refused):
        return found
    rows = [{"row": item_number(row["item"]), "across": row["factor"], "value_shown": row["estimate"]}
            for row in found.to_frame().to_dict("records")]  # fmt: skip
    return Drawn(
        table=pd.DataFrame(rows).assign(n_used=found.n_used),
        y_axis=message("item"),
        x_axis=message("factor sought in the data"),
    )


def _scree(data: Screened, params: Params) -> tuple[Drawn | Refused, list[Message]]:
    """Eigenvalues beside those of data without any factor, and what both rules say."""
    columns = [f"item_{number}" for number in data.scale.total_items]
    found = tried(parallel_analysis, data.items[columns], seed=params.seed, n_iter=REPLICATES)
    fit = tried(sampling_adequacy, data.items[columns])
    if isinstance(found, Refused):
        return found, []
    frame = found.to_frame().query("kind == 'factor'")
    curves = [frame.assign(group=name, x=frame["position"].astype(float), y=frame[column])
              for name, column in (("eigenvalues", "estimate"), ("eigenvalues_by_chance", "quantile"))]  # fmt: skip
    table = pd.concat(curves)[["group", "x", "y"]].assign(n_used=found.n_used)
    said = [message("Parallel analysis: factors kept {factors}, components kept {components}; the two rules need not agree, and with "
                    "many pupils even a trifling factor passes.", factors=found.n_factors, components=found.n_components)]  # fmt: skip
    if not isinstance(fit, Refused):
        said.append(message("The correlations are fit for a factor model to the degree {kmo} (Kaiser, Meyer and Olkin; .80 and more "
                            "is good).", kmo=f"{fit.kmo:.2f}"))  # fmt: skip
    return Drawn(table=table, x_axis=message("factor"), y_axis=message("eigenvalue"), points=True), said
