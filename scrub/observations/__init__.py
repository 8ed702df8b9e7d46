"""Observations: what heads attend to, copy and write, as frames that plot themselves."""
