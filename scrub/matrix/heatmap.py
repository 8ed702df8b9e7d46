"""A matrix as a picture: claims × models, the figure as colour, verdicts in words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from scrub.stats.rounding import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scrub.matrix.matrix import Entry, Matrix


def heatmap(matrix: Matrix) -> Figure:
    """One cell a claim and model: the figure's mean over seeds, and how often which verdict.

    The colour is what is recovered, from 0 to 1; of claims about an effect, a share or attention
    there is the number and no colour, since their units are others. White: nothing is there.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    models, names = matrix.models, list(matrix.names.values())
    values = np.full((len(names), len(models)), np.nan)
    words = np.full(values.shape, "", dtype=object)
    for row, claim in enumerate(matrix.claims):
        for column, model in enumerate(models):
            there = [entry for entry in claim.entries if entry.cell.model_name == model]
            words[row, column] = _words(there)
            if claim.which == "recovered":
                values[row, column] = _mean(there)
    size = (3.2 + 2.0 * len(models), 1.4 + 0.62 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    sns.heatmap(
        values, vmin=0, vmax=1, cmap="crest", mask=np.isnan(values), ax=axes, linewidths=1,
        linecolor="white", xticklabels=models, yticklabels=names,
        cbar_kws={"label": "recovered, mean of seeds"},
    )  # fmt: skip
    for (row, column), text in np.ndenumerate(words):
        dark = not np.isnan(values[row, column]) and values[row, column] > 0.5
        axes.text(
            column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=7,
            color="white" if dark else "black", parse_math=False,
        )  # fmt: skip
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    axes.tick_params(axis="y", rotation=0)
    axes.set(xlabel="model", ylabel="claim")
    return figure


def _mean(entries: list[Entry]) -> float:
    means = [entry.result.figure.mean for entry in entries if entry.result is not None]
    return float(np.mean(means)) if means else float("nan")


def _words(entries: list[Entry]) -> str:
    """The figure, and below it how often which verdict: "supported 5"; "not applicable"."""
    counts = Counter(entry.verdict or entry.status for entry in entries)
    alone = len(entries) == 1
    verdicts = [word if alone else f"{word} {count}" for word, count in counts.items()]
    mean = _mean(entries)
    return "\n".join(([] if np.isnan(mean) else [number(mean)]) + verdicts)
