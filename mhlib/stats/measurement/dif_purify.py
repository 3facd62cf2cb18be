"""Purification: flagged items leave the matching sum, and the tests are done again until the flags stand still."""

from __future__ import annotations

import numpy as np

from mhlib.stats.measurement.dif_counts import Answers, aggregate
from mhlib.stats.measurement.dif_record import Found, table_of
from mhlib.stats.measurement.dif_rule import Rule

FEWEST = 2


def purified(answers: Answers, rule: Rule, *, match: object, rounds: int) -> Found:
    """The table of the last round with its anchors, the number of rounds and how it ended."""
    k = len(answers.names)
    anchor = np.ones(k, dtype=bool)
    found = table_of(aggregate(answers, anchor, match=match), rule)
    if answers.external is not None:
        return found.ended("none, outside score", 0, np.zeros(k, dtype=bool))
    if rounds == 0:
        return found.ended("off", 0, anchor)
    seen: list[bytes] = [anchor.tobytes()]
    for done in range(1, rounds + 1):
        following = ~found.flagged
        if (following == anchor).all():
            return found.ended("stable", done - 1, anchor)
        if following.sum() < FEWEST:
            return found.ended("too few items left unflagged", done - 1, anchor)
        if following.tobytes() in seen:
            return found.ended("circles", done - 1, anchor)
        anchor = following
        seen.append(anchor.tobytes())
        found = table_of(aggregate(answers, anchor, match=match), rule)
    how = "stable" if (~found.flagged == anchor).all() else "stopped at the most rounds allowed"
    return found.ended(how, rounds, anchor)
