"""Datasets: frozen tables of model inputs, their features and their named positions."""
