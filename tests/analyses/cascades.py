"""Made cascades: teachers of four tiers in schools drawn by lot, and a comparison that waits."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mhlib.analyses import teacher_training as analysis
from mhlib.analyses.parts.training import Training, training_of
from mhlib.data.screening import Provenance
from mhlib.data.synthetic import planted
from mhlib.data.training import TrainingData

TIERS = ("city", "town", "school", "class")
GAINS = {name: planted.CASCADE[name].gain for name in TIERS}
GIVEN = {
    "evaluation": "teacher_training", "source": "t.csv", "as_of": "2026-01-01", "seed": 1, "design": "school_rct",
    "assignment_unit": "school_pid", "arms": ["wait", "trained"], "occasions": {"pre": "pre", "post": "post"},
    "baseline": "pre", "primary": "post", "primary_measure": "score", "measures": ["score"], "n_boot": 200,
}  # fmt: skip


def params_of(**changes) -> analysis.Params:
    return analysis.Params.from_mapping(GIVEN | changes, where="test")


def frame_of(schools=60, each=(2, 4, 8, 16), waiting=20, trainers=(8, 12, 20, 40), seed=1) -> pd.DataFrame:
    """Half of the schools trained, `each` teachers a tier in each of them; `trainers` a tier, taught across schools."""
    rng, half = np.random.default_rng(seed), schools // 2
    tier = np.tile(np.repeat(TIERS, each), half)
    school = np.concatenate([np.repeat(np.arange(half), sum(each)), np.repeat(np.arange(half, schools), waiting)])
    n, rest = len(tier), waiting * (schools - half)
    taught = np.empty(n, object)
    for name, many in zip(TIERS, trainers, strict=True):
        here = np.flatnonzero(tier == name)
        taught[here] = [f"{name}{at}" for at in rng.permutation(np.arange(len(here)) % many)]
    none = np.full(rest, None, object)
    frame = pd.DataFrame({
        "teacher_pid": [f"t{at}" for at in range(n + rest)], "school_pid": [f"s{at}" for at in school],
        "arm": np.repeat(["trained", "wait"], [n, rest]), "tier": np.concatenate([tier.astype(object), none]),
        "trainer_pid": np.concatenate([taught, none]),
    })  # fmt: skip
    kept = pd.unique(frame["trainer_pid"].dropna())
    frame["fidelity"] = frame["trainer_pid"].map(dict(zip(kept, rng.beta(16, 4, len(kept)), strict=True))).astype(float)
    return frame


def scored(frame, rng, gains=GAINS, retest=0.1, by_school=0.15, by_trainer=0.0, by_fidelity=0.0) -> pd.DataFrame:
    """Scores about 0 with SD 1 before; schools and trainers may gain alike."""
    school = pd.factorize(frame["school_pid"])[0]
    who = pd.factorize(frame["trainer_pid"])[0]
    trained = (frame["arm"] == "trained").to_numpy()
    lasting = 0.3 * rng.standard_normal(school.max() + 1)[school] + 0.7 * rng.standard_normal(len(frame))
    before, after = lasting + 0.65 * rng.standard_normal((2, len(frame)))
    gain = frame["tier"].map(gains).fillna(0.0).to_numpy(float) + by_trainer * rng.standard_normal(who.max() + 1)[who]
    gain = gain + by_fidelity * (frame["fidelity"].fillna(0.8).to_numpy() - 0.8)
    after = after + retest + trained * gain + by_school * rng.standard_normal(school.max() + 1)[school]
    return frame.assign(score_pre=before, score_post=after)


def training_from(frame: pd.DataFrame, params: analysis.Params) -> Training:
    """The record of the rows, without a source."""
    data = TrainingData(
        teachers=frame, items={}, measures=("score",), occasions=tuple(params.occasions), tables={}, moved=0, source=None, names={},
        allocated=frame[[params.assignment_unit, "arm"]].drop_duplicates().set_axis(["unit", "arm"], axis=1),
        provenance=Provenance(kind="file", source="t.csv", sha256="", rows_read=len(frame)),
    )  # fmt: skip
    return training_of(data, params)
