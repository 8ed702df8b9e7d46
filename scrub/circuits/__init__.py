"""Circuits measured: what a model does where all outside of them is knocked out, or they are."""
