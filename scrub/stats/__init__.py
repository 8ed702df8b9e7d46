"""Statistics of scrubbing: scores per reference, intervals, verdicts."""
