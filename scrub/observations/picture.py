"""How an observation is drawn: a grid, points or lines."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from scrub.stats.rounding import number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ACROSS = 11.5
"""Characters of the title that fit into an inch."""
WRITTEN = 200
"""Cells up to which the numbers stand in them."""
MANY_COLOURS = 10
"""Values of a feature from which on numbers are coloured on a scale."""


@frozen
class Grid:
    """A heatmap: one row a value of a column, one column a value of another.

    Attributes:
        values: the column of the frame that is shown; or several, each a column of the grid, where
            `columns` is "".
        signed: whether the colours are centred on zero.
    """

    rows: str
    columns: str
    values: tuple[str, ...]
    label: str
    signed: bool = False


@frozen
class Layers:
    """A heatmap: one row a layer, one column a head or another kind of component."""

    values: str
    label: str


@frozen
class Points:
    """A scatter plot, coloured by a column; "": all alike."""

    x: str
    y: str
    colour: str = ""


@frozen
class Lines:
    """A line for each value of a column, with the markers of what it joins."""

    x: str
    y: str
    colour: str


@frozen
class Panels:
    """A heatmap for each value of a column, as `Grid` says, side by side.

    Attributes:
        texts: the columns that name the rows and the columns of each.
    """

    each: str
    rows: str
    columns: str
    values: str
    texts: tuple[str, str]


Picture = Grid | Layers | Points | Lines | Panels
ACROSS_PANELS = 3
"""Panels in a row."""


def draw(frame: pd.DataFrame, picture: Picture, title: str) -> Figure:
    """The figure of a frame."""
    from matplotlib.figure import Figure

    if isinstance(picture, Panels):
        return _panels(frame, picture, title)
    grid = None
    if isinstance(picture, Layers):
        frame, picture = _by_layer(frame, picture)
    if isinstance(picture, Grid):
        grid = _cells(frame, picture)
    size = (6.4, 4.8) if grid is None else (_width(grid), 1.6 + 0.34 * len(grid))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    if isinstance(picture, Grid):
        assert grid is not None
        _heatmap(axes, grid, picture)
    elif isinstance(picture, Points):
        _points(axes, frame, picture)
    else:
        _lines(axes, frame, picture)
    shown = textwrap.fill(title, int(ACROSS * (size[0] - 1)))
    axes.set_title(shown, loc="left", fontsize="medium", parse_math=False)
    return figure


def _panels(frame: pd.DataFrame, picture: Panels, title: str) -> Figure:
    import seaborn as sns
    from matplotlib.figure import Figure

    kinds = list(dict.fromkeys(frame[picture.each]))
    across = min(len(kinds), ACROSS_PANELS)
    down = -(-len(kinds) // across)
    grids = [
        frame.loc[frame[picture.each] == kind].pivot(
            index=picture.rows, columns=picture.columns, values=picture.values
        )
        for kind in kinds
    ]
    size = max(2.6, 1.0 + 0.16 * len(grids[0]))
    figure = Figure(figsize=(size * across, size * down + 0.5), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    colours = sns.color_palette("rocket_r", as_cmap=True)
    first = frame.loc[frame[picture.each] == kinds[0]]
    names = [
        first.drop_duplicates(place).sort_values(place)[text].str.strip().tolist()
        for place, text in zip((picture.rows, picture.columns), picture.texts, strict=True)
    ]
    for place, (axis, kind, grid) in enumerate(zip(axes, kinds, grids, strict=False)):
        axis.imshow(grid.to_numpy(float), vmin=0.0, vmax=1.0, cmap=colours)
        axis.set_title(str(kind), fontsize="small", parse_math=False)
        shown = names[0] if place % across == 0 else []
        axis.set_yticks(range(len(shown)), shown, fontsize=6, parse_math=False)
        axis.set_xticks(range(len(names[1])), names[1], fontsize=6, rotation=90, parse_math=False)
    for axis in axes[len(kinds) :]:
        axis.remove()
    shown = textwrap.fill(title, int(ACROSS * figure.get_figwidth()))
    figure.suptitle(shown, x=0.01, ha="left", fontsize="medium", parse_math=False)
    return figure


def _width(grid: pd.DataFrame) -> float:
    return max(6.0, 2.4 + 0.62 * grid.shape[1])


def _by_layer(frame: pd.DataFrame, picture: Layers) -> tuple[pd.DataFrame, Grid]:
    """What stands in a layer, by its layer and its head, or where it is none by its kind."""
    inside = frame.loc[frame["layer"].notna()]
    named = zip(inside["head"].astype(str), inside["kind"], inside["head"].isna(), strict=True)
    shown = inside.assign(component=[kind if none else head for head, kind, none in named])
    return shown, Grid("layer", "component", (picture.values,), picture.label, signed=True)


def _cells(frame: pd.DataFrame, picture: Grid) -> pd.DataFrame:
    """The values as a table of rows and columns, in the frame's order."""
    if not picture.columns:
        return frame.set_index(picture.rows).loc[:, list(picture.values)].astype(float)
    (values,) = picture.values
    rows, columns = (list(dict.fromkeys(frame[name])) for name in (picture.rows, picture.columns))
    once = frame.drop_duplicates([picture.rows, picture.columns])
    grid = once.pivot(index=picture.rows, columns=picture.columns, values=values)
    return grid.reindex(index=rows, columns=columns)


def _heatmap(axes: Any, grid: pd.DataFrame, picture: Grid) -> None:
    import seaborn as sns

    values = grid.to_numpy(dtype=float)
    most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    scale: dict[str, Any] = {"vmin": 0.0, "vmax": most, "cmap": "rocket_r"}
    if picture.signed:
        scale = {"vmin": -most, "vmax": most, "center": 0, "cmap": "vlag"}
    written = np.vectorize(_cell, otypes=[object])(values)
    sns.heatmap(
        values, mask=np.isnan(values), ax=axes, xticklabels=list(map(str, grid.columns)),
        yticklabels=list(map(str, grid.index)), linewidths=0.5, linecolor="white",
        annot=written if values.size <= WRITTEN else False, fmt="", annot_kws={"fontsize": 7},
        cbar_kws={"label": picture.label}, **scale,
    )  # fmt: skip
    axes.tick_params(axis="y", rotation=0)
    axes.set(xlabel=picture.columns, ylabel=picture.rows)


def _cell(value: float) -> str:
    return "" if np.isnan(value) else number(value, 2)


def _points(axes: Any, frame: pd.DataFrame, picture: Points) -> None:
    import seaborn as sns

    if not picture.colour:
        sns.scatterplot(frame, x=picture.x, y=picture.y, s=14, linewidth=0, ax=axes)
        return
    colours = frame[picture.colour].to_numpy()
    count = len(dict.fromkeys(colours.tolist()))
    hue = colours if colours.dtype.kind in "if" and count >= MANY_COLOURS else colours.astype(str)
    sns.scatterplot(
        x=frame[picture.x], y=frame[picture.y], hue=hue, s=14, linewidth=0, ax=axes,
        palette="viridis" if count >= MANY_COLOURS else "deep",
    )  # fmt: skip
    axes.legend(title=picture.colour)


def _lines(axes: Any, frame: pd.DataFrame, picture: Lines) -> None:
    import seaborn as sns

    sns.lineplot(
        frame, x=picture.x, y=picture.y, hue=picture.colour, style=picture.colour, markers=True,
        dashes=False, errorbar=None, ax=axes,
    )  # fmt: skip
    axes.tick_params(axis="x", rotation=90)
