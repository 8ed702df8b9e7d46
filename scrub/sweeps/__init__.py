"""Sweeps: the effect of every sender on a receiver, table, heatmap, hypothesis file."""
