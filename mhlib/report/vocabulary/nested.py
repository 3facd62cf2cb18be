"""What numbers do not show: rows whose people are among those of other rows, and labels that stand for all or overlap."""

from __future__ import annotations

from mhlib.report.vocabulary.word import Nested

# A row with such a label is a margin of the others.
TOTALS = frozenset({"all_schools", "all_towns", "all_levels"})

# Labels of one column that the same person may carry together: rows of them are no parts of anything.
OVERLAPPING = frozenset({"by", "certificate", "scenario", "occasion"})

# What all of a group may be known to have done: it tells nothing of anybody's state.
KNOWN_OF_ALL = frozenset({"dose_took_part", "next_train"})

# By element. A chain: of several rows each holds the next in size. A star: the widest holds every other.
NESTED = {
    "flow": Nested("n"),
    "flow_steps": Nested("n", ("arm_shown",), chain=False),
    "with_without": Nested("n_used", chain=False),
    "careless": Nested("numerator", chain=False),
    "studio": Nested("referrals"),
    "every_cutoff": Nested("referrals"),
    "choices": Nested("referrals"),
    "dropped": Nested("n_used", chain=False),
    "learning_means": Nested("n_used", ("group",), chain=False),
    "learning_methods": Nested("n_used", chain=False),
    "cutoff_ladder": Nested("n_used"),
    "cutoff_donut": Nested("n_used"),
    "inference": Nested("n_used", chain=False),
    "multiverse": Nested("n_used", chain=False),
    "multiverse_table": Nested("n_used", chain=False),
    "imputed": Nested("n_used", chain=False),
    "imputed_table": Nested("n_used", chain=False),
}
