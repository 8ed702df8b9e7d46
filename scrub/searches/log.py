"""The log of a search, for people: what was asked of each receiver, what was kept, and why."""

from __future__ import annotations

from collections.abc import Iterator

from scrub.results.population import FAR_ABOVE, references_in_words
from scrub.searches.found import Link, above, largest_left_out
from scrub.searches.group_names import attended, group_name, placed_name
from scrub.searches.measured import Effect, Measured
from scrub.searches.path_search import PathSearch
from scrub.stats.rounding import interval, number, percent


def log_lines(search: PathSearch) -> list[str]:
    """The whole log. Law: it is a function of the search, so that none is lost by stopping."""
    steps = range(len(steps_taken(search)))
    return [*opening(search), *(line for step in steps for line in step_lines(search, step))]


def opening(search: PathSearch) -> list[str]:
    """What is searched, on which rows, and by which criterion."""
    settings, options = search.settings, search.context.options
    done = "restored in the corrupted run" if settings.restore else "corrupted in the original run"
    rows = len(search.data)
    lines = [
        f"{search.item.behaviour.name} on {search.model.name}: paths, from the output backwards, "
        f"seed {options.seed}",
        f"senders ({', '.join(settings.senders)}) are {done}, one at a time, on paths through "
        f"{settings.through}",
        f"{references_in_words(options.samples)} from {rows:,} rows, one half; the other half is "
        "held out, for the hypothesis",
        f"kept: effects on {search.metric.name} of {percent(settings.smallest)} of the total or "
        "more, of either sign, whose interval is away from zero",
    ]
    if settings.keep:
        heads = ", ".join(f"{layer}.{head}" for layer, head in settings.keep)
        lines.append(f"kept however small, where away from zero: {heads}")
    if settings.drop:
        heads = ", ".join(f"{layer}.{head}" for layer, head in settings.drop)
        lines.append(f"never kept: {heads}")
    if options.samples > FAR_ABOVE * rows:
        lines.append(f"intervals are about these {rows:,} rows alone, not about fresh ones")
    return lines


def steps_taken(search: PathSearch) -> list[Measured]:
    """The receivers that were swept and that something leads to, breadth first."""
    by = {one.receiver: one for one in search.measured}
    return [by[receiver] for receiver in search.found.links]


def step_lines(search: PathSearch, step: int) -> Iterator[str]:
    """One sweep: what was tried, what was kept, the largest that was not, and the groups."""
    measured = steps_taken(search)[step]
    links = search.found.links[measured.receiver]
    yield f"{step + 1}. to {placed_name(measured.receiver, search.model.roles)}: {_tried(measured)}"
    if measured.receiver.is_root:
        yield f"   total: original − corrupted is {interval(measured.total)}"
    for link in links:
        for one in link.effects:
            yield f"   kept     {_effect(one)}"
    dropped = [
        one
        for one in above(measured, search.settings)
        if one.sender.kind == "heads" and one.sender.pair in search.settings.drop
    ]
    for one in dropped:
        yield f"   dropped  {_effect(one)}"
    rest = largest_left_out(measured, search.settings)
    if rest is not None:
        why = "" if rest.certain else ", not told from zero"
        yield f"   left out {_effect(rest)}{why}, and all that is smaller"
    for link in links:
        yield f"   group    {_group(search, link)}"
    if not links:
        yield "   nothing is kept: the paths end here"


def _tried(measured: Measured) -> str:
    if not measured.effects:
        return "no sender has a path to it"
    count, level = len(measured.effects), measured.effects[0].effect.confidence
    said = f"{count:,} senders tried, each interval {percent(level)} (Bonferroni)"
    if measured.left_out:
        said += f"; {measured.left_out:,} have no such path"
    return said


def _effect(one: Effect) -> str:
    return f"{one}: {interval(one.effect)}, {number(100 * one.share, 1)}%"


def _group(search: PathSearch, link: Link) -> str:
    heads = group_name(link.sender.components, {})
    name = placed_name(link.sender, search.model.roles)
    said = f"{name} ({heads})" if not name.startswith(heads) else name
    if link.port:
        said += f" into {link.port}"
    to = attended(link.sender, search.attends) if link.kind == "heads" else ""
    return f"{said}, attending to {to}" if to else said
