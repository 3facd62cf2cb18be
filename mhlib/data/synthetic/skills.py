"""Where in the cascade a teacher was trained, how he judges vignettes, and what two raters saw in a role-play."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm

from mhlib.data.synthetic import planted
from mhlib.data.synthetic.people import names
from mhlib.data.synthetic.planted import rng_of

KINDS = ("internalising", "self_harm", "normal_distress")
# Twelve vignettes, seven of them cases.
VIGNETTES = ("internalising",) * 4 + ("self_harm",) * 3 + ("normal_distress",) * 5
# Spread of the teachers' criteria, in SD of the evidence; probabilities over teachers stay as planted.
CRITERION_SPREAD = 0.3
SHARE_JUDGING, SHARE_PLAYING = 0.10, 0.02
TEACHERS_A_TRAINER = 40


def tiers(seed: int, teacher_pid: np.ndarray) -> pd.DataFrame:
    """Tier at which each trained teacher was taught, by whom, and how closely the manual was kept."""
    rng = rng_of(seed, "training tier")
    shares = [tier.share for tier in planted.CASCADE.values()]
    tier = rng.choice(np.array(list(planted.CASCADE), object), len(teacher_pid), p=shares)
    trainer = np.empty(len(tier), object)
    fidelity = np.empty(len(tier))
    known = 0
    for name in planted.CASCADE:
        rows = np.flatnonzero(tier == name)
        n = max(1, round(len(rows) / TEACHERS_A_TRAINER))
        who = rng.integers(0, n, len(rows))
        trainer[rows] = np.array(names("K", known + n)[known:], object)[who]
        known += n
        fidelity[rows] = rng.beta(16, 4, n)[who]
    return pd.DataFrame(
        {"teacher_pid": teacher_pid, "tier": tier, "trainer_pid": trainer, "fidelity": fidelity.round(2)}
    )


def knowledge_factor(tier: np.ndarray) -> np.ndarray:
    """Gain of a teacher's tier over the mean gain of all trained (1 on average)."""
    mean = planted.mean_cascade_gain()
    return pd.Series(tier).map({name: one.gain / mean for name, one in planted.CASCADE.items()}).to_numpy(float)


def vignettes(seed: int, tested: pd.DataFrame) -> pd.DataFrame:
    """A tenth of the tested teachers (teacher_pid, school_pid, arm) judge twelve vignettes before and after."""
    rng = rng_of(seed, "vignette")
    some = (
        tested.sample(n=max(60, round(SHARE_JUDGING * len(tested))), random_state=rng) if len(tested) > 60 else tested
    )
    own = rng.normal(0, CRITERION_SPREAD, len(some))
    kind = np.array(VIGNETTES, object)
    case = kind != "normal_distress"
    parts = []
    for occasion in ("pre", "post"):
        seen = planted.VIGNETTES["trained" if occasion == "post" else "untrained"]
        apart = np.where(some["arm"] == "training", seen, planted.VIGNETTES["untrained"])
        at = np.where(case, 0.5, -0.5) * apart[:, None] - planted.VIGNETTES["criterion"]
        chance = norm.cdf(np.sqrt(1 + CRITERION_SPREAD**2) * at + own[:, None])
        referred = rng.random(chance.shape) < chance
        sure = np.clip(np.round(62 + 8 * (referred == case) + rng.normal(0, 12, chance.shape)), 50, 100)
        parts.append(pd.DataFrame({
            **{name: np.repeat(some[name].to_numpy(), len(kind)) for name in ("teacher_pid", "school_pid", "arm")},
            "occasion": occasion, "vignette": np.tile(np.arange(1, len(kind) + 1), len(some)).astype("int8"),
            "kind": np.tile(kind, len(some)), "case": np.tile(case, len(some)).astype("int8"),
            "referred": referred.ravel().astype("int8"), "sure": sure.ravel().astype("int8"),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def role_plays(seed: int, tested: pd.DataFrame) -> pd.DataFrame:
    """Two raters score the same role-play of a crisis talk, 0 to 20; ICC as planted."""
    rng = rng_of(seed, "role play")
    n = min(len(tested), max(40, round(SHARE_PLAYING * len(tested))))
    who = tested["teacher_pid"].sample(n=n, random_state=rng).to_numpy()
    skill = rng.normal(0, np.sqrt(planted.ROLE_PLAY["icc"]), n)
    wrong = rng.random(n) < norm.cdf(-1.2 - 0.8 * skill)
    parts = []
    for rater in ("a", "b"):
        seen = skill + rng.normal(0, np.sqrt(1 - planted.ROLE_PLAY["icc"]), n)
        noted = rng.random(n) < np.where(wrong, planted.ROLE_PLAY["error_seen"], planted.ROLE_PLAY["error_imagined"])
        parts.append(pd.DataFrame({
            "teacher_pid": who, "rater": rater, "score": np.clip(np.round(12 + 3 * seen), 0, 20).astype("int8"),
            "critical_error": noted.astype("int8"),
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def planted_skills() -> pd.DataFrame:
    """What was planted in tiers, vignettes and role-plays."""
    rows = [(f"gain at tier {name}", one.gain) for name, one in planted.CASCADE.items()]
    rows += [(f"vignettes: {name}", value) for name, value in planted.VIGNETTES.items()]
    rows += [(f"role-play: {name}", value) for name, value in planted.ROLE_PLAY.items()]
    return pd.DataFrame(rows, columns=["parameter", "value"])
