"""Drop the root's last site, where a metric reads only a few of its columns.

Of the logits a metric often reads two or three columns; they are then computed from the site below,
per reference (`Site.columns`), and no step computes the whole vocabulary.
"""

from __future__ import annotations

from scrub.engine.steps import Result, SiteRead, SiteStep, Step
from scrub.model.graph import Graph
from scrub.names import Cell

Steps = tuple[Step, ...]


def drop_last_site(steps: Steps, result: Result, graph: Graph) -> tuple[Steps, Result]:
    """The steps and the result one site earlier, where only columns are left to be read.

    Both are returned as they are where the root has several cells, its site cannot be read by
    columns, or a child's value stands at what the site reads.

    Law: the columns of `Result.readout`, read from the new result, are those of the old one.
    """
    (cell, source), *others = result.cells
    site = graph.sites[cell.site]
    if others or site.columns is None:
        return steps, result
    before = Cell(site.ports[0].source)
    if source.step is None:
        return steps, Result(result.at, ((before, source),), readout=site.name)
    step = steps[source.step]
    assert isinstance(step, SiteStep)
    (read,) = step.reads
    if not isinstance(read, SiteRead) or read.patches or read.pieces[0].source.frame != step.frame:
        return steps, result
    assert source.step == len(steps) - 1, "nothing reads the root"
    below = ((before, read.pieces[0].source),)
    return steps[:-1], Result(result.at, below, readout=site.name)
