"""Reporters of results: terminal, results file, pictures."""
