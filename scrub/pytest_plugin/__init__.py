"""pytest's plugin: `pytest hypotheses/` tests the claims of hypothesis files, one item each."""
