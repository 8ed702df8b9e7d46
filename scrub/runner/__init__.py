"""From claims to results: prepare, scrub, diagnose, keep what was computed."""
