"""What a score hides, found by scrubbing variants of a claim. No model is run here."""
