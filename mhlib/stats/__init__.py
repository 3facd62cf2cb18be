"""From a table or an aggregate to an estimate: pure functions that import nothing of mhlib but errors and findings."""
