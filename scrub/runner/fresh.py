"""The same claim on other datasets: those that its recipe makes with other seeds.

Recipes that its samplers hold get as many seeds further, so that a flipped copy stays the copy of
the claim's data. The draws' seed goes with them: datasets share no choices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, fields, has

from scrub.data.dataset import Dataset, Recipe
from scrub.errors import Problem, UserError
from scrub.hypothesis.tree import Tree
from scrub.results.result import Result
from scrub.runner.context import Context
from scrub.runner.planned import Planned, plan_variant
from scrub.runner.prepare import Prepared, said_once
from scrub.runner.resume import scores_of
from scrub.runner.session import Session
from scrub.samplers import Fixed
from scrub.samplers.binding import bound
from scrub.stats.between import Fresh, spread

HINT = "Leave fresh= (--fresh) out, or give a recipe that takes a seed, such as ioi.prompts(1000)."


def check_fresh(claims: Sequence[Prepared], session: Session) -> None:
    """Refuse claims that there is no other data for, before anything runs.

    Raises:
        UserError: with every claim that has data which is made of no recipe with a seed.
    """
    problems: list[Problem] = []
    for claim in claims:
        found = [*_problems(claim, session)]
        if found:
            problems += UserError(*found).at(file=claim.file, claim=claim.claim.name).problems
    if problems:
        raise UserError(*said_once(problems, claims))


def _problems(claim: Prepared, session: Session) -> Iterator[str]:
    if claim.belief is not None and claim.is_effect:
        yield (
            f'It believes "{claim.belief.words}", of an effect, and fresh= (--fresh) is about '
            "loss recovered. Leave it out."
        )
        return
    if _seeded(claim.data, session) is None:
        yield f'Data "{claim.data.name}" is made of no recipe with a seed. {HINT}'
        return
    for node in {id(occurrence.node): occurrence.node for occurrence in claim.tree.walk()}.values():
        for sampler in (node.sampler, node.other):
            rows = isinstance(sampler, Fixed) and isinstance(sampler.source, tuple)
            if rows:
                yield f'Node "{node.name}" has a row map, which is written for these rows. {HINT}'
            for data in _tables(sampler).values():
                if _seeded(data, session) is None:
                    yield (
                        f'Node "{node.name}" draws from "{data.name}", which is made of no recipe '
                        f"with a seed. {HINT}"
                    )


def fresh(result: Result, planned: Planned, context: Context, count: int) -> Fresh:
    """Scrub a claim on so many other datasets.

    Raises:
        UserError: a dataset cannot be made, or the claim cannot be run on it.
    """
    prepared, session, options = planned.prepared, context.session, context.options
    recipe = _seeded(prepared.data, session)
    assert recipe is not None, "check_fresh refuses it"
    assert recipe.seed is not None, "check_fresh refuses it"
    context.progress.expects(count * options.samples)
    scores, seeds, rows = [result.scores], [], len(prepared.data)
    for by in range(1, count + 1):
        seeds.append(recipe.seed + by)
        context.progress.says(f"{prepared.name}: on other data, seed {seeds[-1]}")
        there = reseeded(prepared, session, by)
        redrawn = context.with_options(seed=options.seed + by)
        scores.append(scores_of(plan_variant(planned, there, redrawn), redrawn))
        session.evict_generated()
        rows += len(there.data)
    return spread(scores, seeds, rows)


def reseeded(prepared: Prepared, session: Session, by: int) -> Prepared:
    """The claim on data whose seeds are so many further, its samplers' data too."""

    def again(data: Dataset) -> Recipe:
        recipe = _seeded(data, session)
        assert recipe is not None, "check_fresh refuses it"
        return session.reseeded(recipe, by)

    def make(recipe: Recipe) -> Dataset:
        return session.data(recipe, prepared.model)

    def sampler(found: Any) -> Any:
        recipes = {name: again(data) for name, data in _tables(found).items()}
        if not recipes:
            return found
        return bound(evolve(found, **recipes), make, prepared.model.tokenizer)

    def on(here: Tree) -> Tree:
        node = evolve(here.node, sampler=sampler(here.node.sampler), other=sampler(here.node.other))
        return evolve(here, node=node, children=tuple(map(on, here.children)))

    return evolve(prepared, data=make(again(prepared.data)), tree=on(prepared.tree), others=())


def _seeded(data: Dataset, session: Session) -> Recipe | None:
    """The recipe that a dataset was made of, if that has a seed."""
    recipe = session.recipe_of(data)
    return recipe if recipe is not None and recipe.seed is not None else None


def _tables(sampler: Any) -> dict[str, Dataset]:
    """The datasets that a sampler holds, by the names of its arguments."""
    if not has(type(sampler)):
        return {}
    held = {f.alias: getattr(sampler, f.name) for f in fields(type(sampler)) if f.init}
    return {name: value for name, value in held.items() if isinstance(value, Dataset)}
