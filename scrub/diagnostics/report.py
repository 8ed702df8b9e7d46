"""Diagnoses as tables for people, and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scrub.between import Fresh
from scrub.columns import Column, table
from scrub.diagnostics.blame import Blame, Lost, LostOnPath, Swap
from scrub.diagnostics.comparison import Comparison
from scrub.diagnostics.conventions import USUAL, Convention
from scrub.diagnostics.nulls import Nulls
from scrub.diagnostics.specificity import Tried
from scrub.figures import finite, interval, number
from scrub.hypothesis import Expectation
from scrub.kept import COLUMNS
from scrub.report import belief, interval_as_json
from scrub.results import Result, describe_route, describe_sampler
from scrub.show import swaps
from scrub.statistics import Interval
from scrub.terminal import believed, titled
from scrub.tree import Tree

SHOWN = 5
"""Further columns in the table of specificity; the results file has them all."""


def figure(found: Interval) -> Text:
    """An interval as it is: its brackets are no markup."""
    return Text(interval(found))


def show_blame(result: Result, console: Console) -> None:
    """What each swap loses, and the swaps of the samples that lose most."""
    found = result.diagnosis.blame if result.diagnosis else None
    if found is None:
        return
    console.print(believed(result.claim.name, result.claim.belief))
    if not found.swaps:
        console.print("It swaps nothing: every sampler is Exact.\n", highlight=False)
        return
    lost = f"It loses {interval(found.total)} of baseline − original."
    console.print(Text(f"{lost} By its swaps, in the same unit:"))
    console.print(blame_table(result.tree, found, console.width), highlight=False)
    for sample in found.worst:
        row = result.draws.references.index[sample]
        values = {name: getattr(result.numbers, name)[sample] for name in COLUMNS}
        figures = ", ".join(f"{name} {number(value)}" for name, value in values.items())
        console.print(f"\nsample {sample} (row {row}): {figures}", highlight=False)
        console.print(swaps(result.tree, result.draws, sample), highlight=False)
    console.print()


def blame_table(tree: Tree, found: Blame, width: int) -> Table:
    """One row a swap, in order from the root; below it one row a path, where there are several."""
    rows: list[tuple[str, str, str, str, str]] = []
    left = 1.0
    for loss in found.swaps:
        left -= loss.step.mean
        name, draws = swap_in_words(tree, loss.swap)
        indent = "  " * (len(loss.swap.path) - 1)
        in_order = f"{number(loss.step.mean)} → {number(left)}"
        rows.append((indent + name, draws, interval(loss.alone), interval(loss.last), in_order))
        for path in loss.paths:
            where, _, how = describe_route(path.route).partition(", ")
            words = f"{indent}  · {where}"
            rows.append((words, how, interval(path.alone), interval(path.last), ""))
    names, draws, alone, last, in_order = zip(*rows, strict=True)
    shown = [
        Column("node", names, fold=True),
        Column("draws", draws, drop=3),
        Column("lost alone", alone),
        Column("lost last", last, drop=1),
        Column("in order → recovered", in_order, drop=2),
    ]
    return table(shown, width)


def swap_in_words(tree: Tree, swap: Swap) -> tuple[str, str]:
    """ "name movers", "other Uncond"."""
    (node,) = (node.node for node in tree.walk() if node.path == swap.path)
    if swap.which == "other":
        return node.name, f"other {describe_sampler(node.other)}"
    return node.name, describe_sampler(node.sampler)


def show_diagnosis(result: Result, console: Console) -> None:
    """The figures of what was found out beyond a claim's score."""
    found, name = result.diagnosis, f"\n{result.claim.name}"
    if found and found.nulls:
        words = nulls_in_words(found.nulls, result.expect)
        console.print(titled(name, f" against nulls: {words}."))
    if found and found.conventions == ():
        console.print(titled(name, ": no other convention applies to it."))
    elif found and found.conventions is not None:
        console.print(titled(name, " under other conventions"))
        console.print(conventions_table(found.conventions), highlight=False)
    if found and found.specificity == ():
        said = "nothing to make coarser or finer: no node draws by Agree."
        console.print(Text(f"{result.claim.name}: {said}"))
    elif found and found.specificity is not None:
        console.print(titled(name, ", how specific it is"))
        console.print(specificity_table(found.specificity), highlight=False)
    if found and found.fresh:
        seeds = zip(found.fresh.seeds, found.fresh.recovered[1:], strict=True)
        listed = "; ".join(f"seed {seed}: {interval(one)}" for seed, one in seeds)
        console.print(titled(name, f" on other datasets: {listed}."))


def conventions_table(found: Sequence[Convention]) -> Table:
    """One row a convention that is not the claim's own."""
    shown = Table(box=None, pad_edge=False)
    for name in ("convention", "recovered", "verdict"):
        shown.add_column(name, overflow="fold")
    for one in found:
        if one.recovered is None:
            shown.add_row(Text(one.name), "–", Text(one.problem))
        else:
            verdict = one.verdict or "–"
            if one.turns and one.name not in USUAL:
                verdict += ", as most true claims are"
            shown.add_row(Text(one.name), figure(one.recovered), verdict)
    return shown


def specificity_table(found: Sequence[Tried]) -> Table:
    """One row a change of a sampler; of further columns the `SHOWN` that recover most."""
    shown = Table(box=None, pad_edge=False)
    for name in ("node", "draws", "recovered", "lower by", "which says"):
        shown.add_column(name, overflow="fold")
    columns = [one for one in found if one.control is not None]
    for one in found:
        if one in columns[SHOWN:]:
            continue
        name = one.swap.path[-1] + (", other inputs" if one.swap.which == "other" else "")
        says = one.finding
        if one.control is not None:
            says += f" ({number(one.control.mean)} if shuffled)"
        figures = figure(one.recovered), figure(one.lowers)
        shown.add_row(Text(name), Text(one.words), *figures, Text(says))
    if columns[SHOWN:]:
        shown.add_row("", f"… {len(columns) - SHOWN} more columns", "", "", "")
    return shown


def nulls_in_words(found: Nulls, expect: Expectation | None) -> str:
    """One sentence on where the score lies among the nulls'."""
    if not found.tries:
        return f"no nulls: {found.reason}"
    defined = [null for null in found.recovered if not math.isnan(null)]
    undefined = len(found.recovered) - found.tries
    fewer = " (there are no more)" if len(found.recovered) < found.asked else ""
    if undefined:
        fewer += f" (and {undefined} of which loss recovered is undefined)"
    passing = "" if found.passing is None else f"; {found.passing} are {belief(expect)}"
    recover = number(defined[0])
    if len(defined) > 1:
        middle = number(float(np.median(defined)))
        recover = f"{number(min(defined))} to {number(max(defined))}, median {middle}"
    return (
        f"{found.as_well} of {found.tries} nulls{fewer} do as well; {found.as_high} recover as "
        f"much or more. They have {found.pools} instead, and recover {recover}{passing}"
    )


def show_comparisons(found: Sequence[Comparison], console: Console) -> None:
    """One row a pair: what each recovers, and the difference."""
    one = found[0]
    for which, result in (("first", one.first), ("second", one.second)):
        about = f"mean {result.metric.name}, data: {result.data_name}"
        console.print(Text(f"{which}: {result.file} on {result.model}, {about}"))
    same = "the same references" if one.paired else "references of their own (different data)"
    console.print(
        f"{one.first.samples:,} references, {same}, seed {one.first.seed}", highlight=False
    )
    names = [(pair.first.claim.name, pair.second.claim.name) for pair in found]
    shown = [
        Column("claim", [" − ".join(dict.fromkeys(both)) for both in names], fold=True),
        Column("first recovers", [interval(pair.first.recovered) for pair in found], drop=2),
        Column("second recovers", [interval(pair.second.recovered) for pair in found], drop=3),
        Column("first − second", [interval(pair.difference) for pair in found]),
        Column("", [pair.words for pair in found], drop=1),
    ]
    console.print(table(shown, console.width), highlight=False)
    for pair in found:
        if pair.difference.reason:
            names = " − ".join(dict.fromkeys((pair.first.claim.name, pair.second.claim.name)))
            console.print(Text(f"{names}: {pair.difference.reason}."))


def comparisons_as_json(found: Sequence[Comparison]) -> list[dict[str, Any]]:
    """One entry a pair. Results are told by their number in the file."""
    return [
        {
            "first": number,
            "second": number + len(found),
            "difference": interval_as_json(pair.difference),
            "paired": pair.paired,
        }
        for number, pair in enumerate(found)
    ]


def diagnoses_as_json(result: Result) -> dict[str, Any]:
    """The fields that diagnoses add to a result. What was not asked for is left out."""
    found: dict[str, Any] = {}
    if result.diagnosis and result.diagnosis.nulls:
        found["nulls"] = _nulls(result.diagnosis.nulls)
    if result.diagnosis and result.diagnosis.conventions is not None:
        found["conventions"] = [_convention(one) for one in result.diagnosis.conventions]
    if result.diagnosis and result.diagnosis.specificity is not None:
        found["specificity"] = [_tried(result.tree, one) for one in result.diagnosis.specificity]
    if result.diagnosis and result.diagnosis.blame:
        found["blame"] = _blame(result, result.diagnosis.blame)
    if result.fresh:
        found["fresh"] = _fresh(result.fresh)
    return found


def _fresh(found: Fresh) -> dict[str, Any]:
    """Between and within are null where a dataset's interval is unbounded (see reason)."""
    known = {"between": found.between, "within": found.within}
    value = interval_as_json(found.value)
    return {
        "seeds": list(found.seeds),
        "recovered": [interval_as_json(one)["mean"] for one in found.recovered[1:]],
        **{name: one if math.isfinite(one) else None for name, one in known.items()},
        **{name: value[name] for name in ("mean", "low", "high", "reason")},
        "confidence": found.value.confidence,
    }


def _nulls(found: Nulls) -> dict[str, Any]:
    share = {name: finite(getattr(found.share, name)) for name in ("mean", "low", "high")}
    undefined = len(found.recovered) - found.tries
    of_some = "loss recovered is undefined for it" if undefined else None
    no_belief = found.reason or "the file gives no bounds"
    return {
        "asked": found.asked,
        "recovered": [finite(null) for null in found.recovered],
        "recovered_reason": of_some,
        "as_high": found.as_high,
        "as_well": found.as_well,
        "undefined": undefined,
        "share": share if found.tries else None,
        "passing": found.passing,
        "passing_reason": no_belief if found.passing is None else None,
        "pools": found.pools,
        "reason": found.reason or None,
    }


def _convention(one: Convention) -> dict[str, Any]:
    return {
        "convention": one.name,
        "recovered": None if one.recovered is None else interval_as_json(one.recovered),
        "verdict": one.verdict,
        "verdict_reason": None if one.verdict else one.problem or "the file expects no verdict",
        "turns": one.turns,
        "doubt": one.doubt,
        "reason": one.problem or None,
    }


def _tried(tree: Tree, one: Tried) -> dict[str, Any]:
    return {
        "node": list(one.swap.path),
        "swap": one.swap.which,
        "sampler": swap_in_words(tree, one.swap)[1].removeprefix("other "),
        "kind": one.kind,
        "change": one.words,
        "recovered": interval_as_json(one.recovered),
        "lower_by": interval_as_json(one.lowers),
        "finding": one.finding,
        "recovered_shuffled": None if one.control is None else interval_as_json(one.control),
        "recovered_shuffled_reason": "only of further columns" if one.control is None else None,
    }


def _blame(result: Result, found: Blame) -> dict[str, Any]:
    return {
        "lost": interval_as_json(found.total),
        "swaps": [_lost(result.tree, loss) for loss in found.swaps],
        "worst": [_sample(result, sample) for sample in found.worst],
    }


def _lost(tree: Tree, loss: Lost) -> dict[str, Any]:
    (node,) = (node.node for node in tree.walk() if node.path == loss.swap.path)
    return {
        "node": list(loss.swap.path),
        "swap": loss.swap.which,
        "sampler": describe_sampler(node.sampler if loss.swap.which == "own" else node.other),
        "alone": interval_as_json(loss.alone),
        "last": interval_as_json(loss.last),
        "in_order": interval_as_json(loss.step),
        "paths": [_on_path(path) for path in loss.paths],
    }


def _on_path(path: LostOnPath) -> dict[str, Any]:
    return {
        "path": describe_route(path.route),
        "alone": interval_as_json(path.alone),
        "last": interval_as_json(path.last),
    }


def _sample(result: Result, sample: int) -> dict[str, Any]:
    rows, numbers = result.draws.references, result.numbers
    row = int(rows.index[sample])
    figures: dict[str, Any] = {name: finite(getattr(numbers, name)[sample]) for name in COLUMNS}
    figures["reason"] = "the metric is not finite" if None in figures.values() else None
    return {"sample": sample, "row": row, "text": rows.data.text(row), **figures}
