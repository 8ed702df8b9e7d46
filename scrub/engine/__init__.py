"""The engine: from a tree to a plan, and from a plan to per-reference outputs."""
