"""What a notebook shows of a value: the fragment for each kind of value (`printing.html_of`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, singledispatch
from typing import Any

from attrs import evolve
from markupsafe import Markup
from rich.console import Console

from scrub.analysis.blame import Blame
from scrub.circuits.overlap import Overlap
from scrub.circuits.scores import CircuitScores
from scrub.circuits.shared import SharedCircuits
from scrub.data.dataset import Dataset, Recipe
from scrub.data.task import Task
from scrub.hypothesis.behaviour import Behaviour
from scrub.hypothesis.circuit import Circuit
from scrub.hypothesis.claim import Claim
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.sites import Sites
from scrub.hypothesis.tree import Occurrence, treeify
from scrub.matrix.matrix import Matrix
from scrub.metrics import Metric
from scrub.model.edits import Edited
from scrub.model.given import Model as Given
from scrub.model.registry import Model
from scrub.observations.observation import Observation
from scrub.printing import printed
from scrub.report.claim_views import Checked, ClaimPlan, ClaimSwaps
from scrub.report.claims_table import bounds_in_words
from scrub.report.comparison import show_comparisons
from scrub.report.explanation import Explanation
from scrub.report.html import kinds
from scrub.report.html.blames import waterfall_part
from scrub.report.html.frames import grid_html, grid_of_frame, grid_of_rows, table_html
from scrub.report.html.pages import Page, page_part
from scrub.report.html.rendering import fragment, render
from scrub.report.html.results import Part, result_html, result_part
from scrub.report.html.scales import common_scales
from scrub.report.html.summary import counted, row_of
from scrub.report.html.trees import tree_html, tree_part
from scrub.report.html.worst import worst_part
from scrub.report.matrix import show_matrix
from scrub.report.observation import show_observation
from scrub.report.paths import show_paths
from scrub.report.plan import plan_table
from scrub.report.row import show_row
from scrub.report.tasks import show_tasks
from scrub.report.terminal import correction_line
from scrub.results.comparison import Comparison
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.results.several import Results
from scrub.runner.session import Session
from scrub.runner.sizes import shown as in_bytes
from scrub.searches.circuit_result import CircuitResult
from scrub.searches.path_search import PathSearch
from scrub.searches.paths import ClaimPaths
from scrub.stats.rounding import interval
from scrub.sweeps.edit_report import EditReport
from scrub.sweeps.sweep import Sweep

ROWS = 10
"""Rows of a dataset, or of a table of effects, that are shown at first."""


@singledispatch
def html_of(value: Any) -> str:
    """A value as a fragment; one of no kind that is known as its `repr`."""
    return fragment(render("lines.html", lines=[repr(value)]))


html_of.register(Result, result_html)
html_of.register(Inapplicable, result_html)
html_of.register(Occurrence, tree_html)


@html_of.register
def _(value: Results) -> str:
    judged = [result for result in value if isinstance(result, Result)]
    corrected = [result for result in judged if result.corrected]
    scales = common_scales(judged)
    rows = [row_of(result, number, scales) for number, result in enumerate(value)]
    return fragment(
        render(
            "results.html",
            counts=counted(value),
            together=correction_line(corrected) if corrected else "",
            rows=rows,
            models=len({row.model for row in rows}) > 1,
            each=[(result.claim.name, result_part(result)) for result in value],
        )
    )


@html_of.register
def _(value: Claim) -> str:
    expect = value.expect
    rows = [
        ("expected", "nothing" if expect is None else expect.verdict),
        ("of the belief", bounds_in_words(expect) or "any input does as well"),
        *_about(value),
    ]
    if expect is None:
        del rows[1]
    return _titled(value.name, value.belief, rows, PLANS.format("claim"))


@html_of.register
def _(value: Behaviour) -> str:
    corrupt = printed(value.corrupt) if value.corrupt is not None else "not known"
    rows = [*_about(value), ("corrupted by", corrupt)]
    return _titled(value.name, value.says, rows)


@html_of.register
def _(value: Correspondence) -> str:
    roots = [node for node in value.sites if not node.parents]
    sites = all(isinstance(sites, Sites) for sites in value.sites.values())
    if len(roots) == 1 and sites:
        return fragment(tree_part(treeify(value)))
    rows = [(node.name, printed(sites)) for node, sites in value.sites.items()]
    return fragment(grid_html(grid_of_rows(("node", "sites"), rows)))


@html_of.register
def _(value: Explanation) -> str:
    blame: Blame = value.blame
    parts = [Part("Where it loses", waterfall_part(value.result, blame), unfolded=True)]
    if blame.worst:
        parts.append(Part("References that lose most", worst_part(value.result, blame.worst)))
    return fragment(_heading(f"{value.result.claim.name} explained"), *map(_folded, parts))


@html_of.register
def _(value: Dataset) -> str:
    lines = [f"{len(value):,} rows of up to {value.width} tokens"]
    grid = grid_of_frame(value.frame.iloc[:ROWS])
    grid = evolve(grid, more=max(0, len(value) - ROWS))
    return fragment(_heading(value.name, lines), grid_html(grid))


@html_of.register
def _(value: Recipe) -> str:
    rows = [(name, printed(given)) for name, given in value.arguments.items()]
    return _titled(value.name, "Data, made once a tokenizer is known.", rows)


@html_of.register
def _(value: Session) -> str:
    rows = [("models", ", ".join(model.name for model in value.loaded) or "none is loaded")]
    rows += [("plain values", in_bytes(value.held()))]
    return _titled("Session", "What claims share: models, data and plain activations.", rows)


@html_of.register
def _(value: Model) -> str:
    rows = [("layers", str(value.layers)), ("heads a layer", str(value.heads))]
    rows += [(role, ", ".join(f"{a}.{b}" for a, b in of)) for role, of in value.roles.items()]
    return _titled(value.name, "", rows)


@html_of.register
def _(value: Given) -> str:
    tokenizer = "none" if value.tokenizer is None else type(value.tokenizer).__name__
    rows = [("model", type(value.model).__name__), ("tokenizer", tokenizer)]
    rows += [(role, printed(heads)) for role, heads in (value.roles or {}).items()]
    return _titled(value.name or "Model", "A model in memory.", rows)


@html_of.register
def _(value: Edited) -> str:
    base = value.base if isinstance(value.base, str) else repr(value.base)
    rows = [("edit", str(edit)) for edit in value.edits]
    return _titled(value.name or "Edited", f"{base}, with weights edited.", rows)


@html_of.register
def _(value: ClaimPlan) -> str:
    name, says = value.claim.name, value.claim.claim.belief
    tree = tree_part(value.tree)
    cost = render("lines.html", lines=[value.cost])
    steps = Part("Every step", table_html(plan_table(value.claim)))
    return fragment(_heading(name, [says] if says else []), tree, cost, _folded(steps))


@html_of.register
def _(value: ClaimSwaps) -> str:
    return _printed(partial(show_row, value.claim, value.draws))


@html_of.register
def _(value: Checked) -> str:
    legal, samplers = value.lines[: len(value.claims)], value.lines[len(value.claims) :]
    said = Part("Samplers", render("log.html", lines=samplers))
    return fragment(render("lines.html", lines=legal), _folded(said))


@html_of.register
def _(value: Task) -> str:
    return _printed(partial(show_tasks, [value]))


@html_of.register
def _(value: Matrix) -> str:
    return _printed(partial(show_matrix, value))


@html_of.register
def _(value: Comparison) -> str:
    return _printed(partial(show_comparisons, [value]))


@html_of.register
def _(value: Observation) -> str:
    return _printed(partial(show_observation, value, top=ROWS), [("All of it", value.frame)])


@html_of.register
def _(value: ClaimPaths) -> str:
    return _printed(partial(show_paths, value))


@html_of.register
def _(value: EditReport) -> str:
    lines = [
        f"before: {value.before}",
        f"after: {value.after}",
        f"{value.samples:,} references, seed {value.seed}",
    ]
    rows = [
        (one.name, one.metric, interval(one.change), one.belief, one.verdict)
        for one in value.changes
    ]
    columns = ("", "metric", ">change", "should be", "verdict")
    return fragment(_heading(repr(value), lines), grid_html(grid_of_rows(columns, rows)))


@html_of.register
def _(value: Sweep) -> str:
    return fragment(page_part(kinds.sweep_page(value, ROWS)))


@html_of.register
def _(value: CircuitScores) -> str:
    return fragment(page_part(kinds.scores_page(value, ROWS)))


@html_of.register
def _(value: SharedCircuits) -> str:
    return fragment(page_part(kinds.shared_page(value)))


@html_of.register
def _(value: Overlap) -> str:
    return fragment(page_part(kinds.overlap_page(value)))


@html_of.register
def _(value: Circuit) -> str:
    return fragment(page_part(kinds.circuit_page(value)))


@html_of.register
def _(value: PathSearch) -> str:
    return fragment(page_part(kinds.paths_page(value)))


@html_of.register
def _(value: CircuitResult) -> str:
    return fragment(page_part(kinds.circuit_found_page(value)))


PLANS = "scrub.plan({0}) shows its tree and its cost, scrub.run({0}) puts it to the test."


def _about(value: Claim | Behaviour) -> list[tuple[str, str]]:
    """What a claim or behaviour is about; a model that the file names is known when it is run."""
    metrics = value.metric if isinstance(value.metric, list | tuple) else [value.metric]
    model = value.model if isinstance(value.model, str) else printed(value.model)
    if value.model is None:
        model = "that of the file (MODEL)"
    return [
        ("model", model),
        ("data", _called(value.data)),
        ("metric", ", ".join(map(_called, metrics)) or "that of the belief"),
    ]


def _called(value: Any) -> str:
    if isinstance(value, Dataset | Recipe | Metric):
        return value.name
    return "that of the belief" if value is None else getattr(value, "__name__", printed(value))


def _titled(title: str, says: str, rows: Iterable[tuple[str, str]], more: str = "") -> str:
    table = grid_html(grid_of_rows(("", ""), list(rows)))
    foot = render("lines.html", lines=[more]) if more else Markup()
    return fragment(_heading(title, [says] if says else []), table, foot)


def _heading(title: str, lines: Sequence[str] = ()) -> Markup:
    return render("title.html", title=title) + render("lines.html", lines=lines)


def _folded(part: Part) -> Markup:
    return render("part.html", part=part)


def _printed(show: Callable[[Console], None], frames: Sequence[tuple[str, Any]] = ()) -> str:
    return fragment(page_part(Page("", show, frames=frames)))
