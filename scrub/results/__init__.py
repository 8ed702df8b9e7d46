"""Results as frozen data, and as files."""
