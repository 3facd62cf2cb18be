"""From a source to a validated table: sources, contracts, codebooks, scoring, and the synthetic city."""
