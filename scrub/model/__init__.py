"""Models as graphs of named sites, and where they come from."""
