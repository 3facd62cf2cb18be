"""From parameter files to published reports: validation, keys, execution, outcome, publishing."""
