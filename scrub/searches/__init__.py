"""Searches: which paths carry a behaviour, found from the output backwards, as a hypothesis."""
