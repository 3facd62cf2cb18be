"""What several evaluations share: common checks, refusals, and records made of several library results."""
