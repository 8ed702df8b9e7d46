"""Which conventions turn nearly every claim, and so say nothing of the one at hand?

    nice python benchmarks/conventions.py [--quick] [--out FILE]

Scrubs the claims that are supported under every convention that is not their own: generated ones
that are true by construction, those of `hypotheses/` on the embedded models, and those of
`tests/hypotheses/`.
Writes its tables into docs/diagnostics.md, which says what follows from them. `--quick` does a few,
and writes only where `--out` says.

True claims are told in two ways. *Whole*: all that decides on the answer, the rest from any input,
as in `benchmarks/validity.py`. *One chain*: a single line of nodes from the answer down, the rest
as it is in the reference, as claims about what some heads carry are told (`by_position`).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from validating.claims import Part, Planted, pruned
from validating.page import markdown
from validating.trial import BOUND
from validating.wired_graphs import wired_graph
from validating.wired_transformers import (
    ragged_transformer,
    sharing_transformer,
    wired_transformer,
)

from scrub.analysis.conventions import IN_WORDS, Convention
from scrub.errors import UserError
from scrub.hypothesis.belief import supported
from scrub.hypothesis.collect import Collected, collect
from scrub.runner.context import Context
from scrub.runner.diagnose import diagnose
from scrub.runner.diagnoses import Diagnoses
from scrub.runner.options import Options
from scrub.runner.pipeline import scrub_claim
from scrub.runner.planned import plan_claim
from scrub.runner.prepare import prepare
from scrub.runner.session import Session
from scrub.samplers import Agree, Exact
from scrub.stats.verdict import judge

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "diagnostics.md"
NEARLY_EVERY, AT_LEAST = 0.8, 20
"""The rule: see docs/diagnostics.md. Written before the first run."""
SAMPLES, FEWER = 1_000, 200
"""References of a claim; and of one about strings of parentheses."""
SEED = 11


@frozen
class Shown:
    """A claim under the conventions that are not its own.

    Attributes:
        verdict: the claim's own, at the interval of one claim.
    """

    group: str
    name: str
    verdict: str
    conventions: tuple[Convention, ...]


MODELS = {
    "graphs": wired_graph,
    "transformers": wired_transformer,
    "shared work": sharing_transformer,
    "ragged rows": ragged_transformer,
}


def true_claims(models: int) -> Iterator[tuple[str, Collected]]:
    """Claims about wired graphs and transformers, whole and one chain each, no two alike."""
    for kind, make in MODELS.items():
        for number in range(models):
            random = np.random.default_rng([SEED, number])
            planted = make(random, f"{kind} {number}")
            truth, *_ = planted.truths
            parts = {("whole", part) for part in (*planted.truths, pruned(truth, random))}
            parts |= {("one chain", chain(truth, random)) for _ in range(2)}
            for told, part in sorted(parts, key=str):
                yield f"true: {kind}, {told}", _collected(planted, part)


def chain(part: Part, random: np.random.Generator) -> Part:
    """One line of nodes from the root down to one that agrees on a feature, the rest exact."""
    stops = isinstance(part.sampler, Agree) and random.random() < 0.4
    if not part.children or stops:
        return evolve(part, children=())
    child = part.children[random.integers(len(part.children))]
    return evolve(part, other=Exact(), sampler=Exact(), children=(chain(child, random),))


def _collected(planted: Planted, part: Part) -> Collected:
    claim = planted.claim(part, BOUND)
    return Collected("", claim, claim.model)


def written_claims() -> Iterator[tuple[str, Collected]]:
    """Those of the hypothesis files; of those that expect nothing it is asked what others are."""
    for item in collect([str(ROOT / "hypotheses" / "ioi_claim3.py")]):
        for model in ("ioi-planted", "ioi-shortcut"):
            yield f"ioi_claim3.py on {model}", evolve(item, model=model)
    for file in ("parens", "parens_alt", "parens_more"):
        for item in collect([str(ROOT / "hypotheses" / f"{file}.py")]):
            asked = item.claim.expect or supported(above=BOUND)
            yield f"{file}.py", evolve(item, claim=evolve(item.claim, expect=asked))
    for item in collect([str(ROOT / "tests" / "hypotheses")]):
        yield "tests/hypotheses", item


def shown(claims: Iterable[tuple[str, Collected]], session: Session) -> Iterator[Shown]:
    """Each claim under other conventions."""
    for group, item in claims:
        few = FEWER if group.startswith("parens") else SAMPLES
        options = Options(samples=few, seed=SEED)
        try:
            (prepared,) = prepare([item], session, options)
            context = Context(session, options)
            planned = plan_claim(prepared, context)
            result = scrub_claim(planned, context)
        except UserError as error:
            print(f"{group}: {item.claim.name}: {error}", file=sys.stderr)
            continue
        verdict = judge(result.recovered, result.expect, result.samples).verdict
        if result.judgement.verdict == "vacuous":
            verdict = "vacuous"
        found = None
        if verdict == "supported":
            result = diagnose(result, planned, context, Diagnoses(conventions=True))
            assert result.diagnosis is not None
            found = result.diagnosis.conventions
        print(f"{group}: {result.claim.name}: {verdict}", file=sys.stderr)
        yield Shown(group, result.claim.name, verdict or "none", found or ())
        session.evict()


def counted(found: Sequence[Shown]) -> dict[str, dict[str, tuple[int, int, int]]]:
    """Per convention and group: supported claims that it turns, is comparable on, and is not."""
    groups = dict.fromkeys(one.group for one in found)
    table: dict[str, dict[str, tuple[int, int, int]]] = {}
    for name in IN_WORDS:
        table[name] = {}
        for group in groups:
            here = [
                c
                for one in found
                for c in one.conventions
                if (one.group, one.verdict, c.name) == (group, "supported", name)
            ]
            comparable = [c for c in here if c.recovered is not None]
            turned = sum(c.turns for c in comparable)
            table[name][group] = turned, len(comparable), len(here) - len(comparable)
    return table


def page(found: Sequence[Shown]) -> str:
    """The table: of every group and convention, how many supported claims turn."""
    table = counted(found)
    groups = list(dict.fromkeys(one.group for one in found))
    rows = []
    for group in groups:
        count = sum((one.group, one.verdict) == (group, "supported") for one in found)
        cells = [_cell(*table[name][group]) for name in table]
        rows.append([group, str(count), *cells])
    true = [group for group in groups if group.startswith("true")]
    sums = {name: [sum(table[name][g][i] for g in true) for i in range(3)] for name in table}
    count = sum(one.group in true and one.verdict == "supported" for one in found)
    rows.append(["**all true**", str(count), *(f"**{_cell(*sums[name])}**" for name in table)])
    said = {name: says(*sums[name][:2]) for name in table}
    rows.append(["a doubt", "", *said.values()])
    return markdown(["claims", "supported", *table], rows)


def _cell(turned: int, comparable: int, others: int) -> str:
    shown = f"{turned} / {comparable}" if comparable else "–"
    return shown + (f" ({others})" if others else "")


def says(turned: int, comparable: int) -> str:
    """Whether a convention raises a doubt: the rule of docs/diagnostics.md."""
    if comparable < AT_LEAST:
        return "yes: too few to tell"
    return "no" if turned / comparable >= NEARLY_EVERY else "yes"


def put(text: str, file: Path, marker: str = "conventions") -> None:
    """Put a table between its markers, <!-- NAME --> and <!-- end -->."""
    before, found, rest = file.read_text(encoding="utf-8").partition(f"<!-- {marker} -->\n")
    assert found, f"{file} has no place for the table"
    _, end, after = rest.partition("<!-- end -->")
    file.write_text(f"{before}{found}{text}{end}{after}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, or these arguments, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    session = Session()
    claims: list[Any] = list(true_claims(1 if chosen.quick else 12))
    if not chosen.quick:
        claims += written_claims()
    text = page(list(shown(claims, session)))
    print(text)
    file = chosen.out or (None if chosen.quick else DOCS)
    if file is not None:
        put(text, file)


if __name__ == "__main__":
    main()
