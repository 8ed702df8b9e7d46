"""Independent answers, and mutants: what scrub is held against."""
