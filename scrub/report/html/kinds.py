"""The pages of sweeps, of scores and overlaps of circuits, and of searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from scrub.report.html.pages import Page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from scrub.circuits.overlap import Overlap
    from scrub.circuits.scores import CircuitScores
    from scrub.circuits.shared import SharedCircuits
    from scrub.hypothesis.circuit import Circuit
    from scrub.searches.circuit_result import CircuitResult
    from scrub.searches.path_search import PathSearch
    from scrub.sweeps.sweep import Sweep

    Figures = Sequence[tuple[str, Figure]]


def sweep_page(sweep: Sweep, top: int) -> Page:
    """The largest effects, a heatmap for each metric, and all effects."""
    from scrub.report.sweep import show_sweep

    def figures() -> Figures:
        return [
            (f"effects on {metric.name}", sweep.plot(number))
            for number, metric in enumerate(sweep.metrics)
        ]

    frames = [("All effects", sweep.frame)]
    if sweep.by is not None:
        frames.append((f"All effects by {sweep.by.column}", sweep.by_frame))
    title = f"{sweep.behaviour} → {sweep.receiver} on {sweep.model}"
    return Page(title, lambda console: show_sweep(sweep, console, top), figures, frames)


def scores_page(scores: CircuitScores, top: int) -> Page:
    """The scores of a circuit, its curve, and each section's table."""
    from scrub.report.circuit_scores import show_scores

    def figures() -> Figures:
        return [("performance by size", scores.plot())] if scores.curve is not None else []

    frames = [(name.capitalize(), frame) for name, frame in scores.frames.items()]
    title = f"{scores.circuit.name or 'a circuit'} on {scores.behaviour}, {scores.model}"
    return Page(title, lambda console: show_scores(scores, console, top), figures, frames)


def shared_page(shared: SharedCircuits) -> Page:
    """Circuits on several behaviours, as a picture and as a table."""
    from scrub.report.circuit_shared import show_shared

    names = " and ".join(one.name for one in shared.behaviours)
    title = f"circuits on {names}, {shared.model}"
    frames = [("All figures", shared.frame)]
    return Page(
        title,
        lambda console: show_shared(shared, console),
        lambda: [("what each circuit keeps and loses", shared.plot())],
        frames,
    )


def overlap_page(found: Overlap) -> Page:
    """What circuits have in common, as a picture and as a table."""
    from scrub.report.circuit_overlap import show_overlap

    title = f"{', '.join(found.names)}: what they have in common"
    frames = [("All figures", found.frame)]
    return Page(
        title,
        lambda console: show_overlap(found, console),
        lambda: [("what they have in common", found.plot())],
        frames,
    )


def circuit_page(circuit: Circuit) -> Page:
    """One circuit by itself."""
    from scrub.report.circuit_shown import show_circuit

    title = f"{circuit.name or 'a circuit'}{' of ' + circuit.model if circuit.model else ''}"
    frames = [("Nodes and edges", circuit.frame)]
    return Page(title, lambda console: show_circuit(circuit, console), frames=frames)


def paths_page(search: PathSearch, nothing: str = "") -> Page:
    """The paths that a search found, the tree as a picture, and its log.

    Args:
        nothing: why nothing was found; "" if something was.
    """
    from scrub.report.search import show_found
    from scrub.report.search_tree import search_tree
    from scrub.searches.log import log_lines

    def show(console: Console) -> None:
        if nothing:
            console.print(nothing)
        else:
            show_found(search, console)

    def figures() -> Figures:
        return [] if nothing else [("the paths that were found", search_tree(search))]

    frames = [("All that is kept", search.frame)]
    title = f"{search.item.behaviour.name} on {search.model.name}: paths"
    return Page(title, show, figures, frames, log_lines(search))


def circuit_found_page(result: CircuitResult) -> Page:
    """The circuit that a search found, its score, its curve, every decision and the log."""
    from scrub.report.circuit_search import curve, show_circuit_found
    from scrub.searches.circuit_score import score_lines

    def show(console: Console) -> None:
        show_circuit_found(result, console)
        console.print()
        _print(console, score_lines(result.score))

    search = result.search
    title = f"{search.item.behaviour.name} on {search.seen.model.name}: by {result.found.method}"
    return Page(
        title,
        show,
        lambda: [("what is recovered by size", curve(result))],
        [("Every decision", result.frame)],
        result.lines,
    )


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line)
