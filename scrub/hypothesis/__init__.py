"""Hypothesis files: claims, trees of nodes, the sites they stand for, and how they are collected."""
