"""Plan a matrix: every claim on every model, checked before anything runs, as cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import evolve

from scrub.errors import Problem, UserError
from scrub.hypothesis.collect import Collected
from scrub.matrix.cell import Cell, Depends, How
from scrub.matrix.compute import weights_of
from scrub.model.registry import Model
from scrub.results.inapplicable import Inapplicable
from scrub.runner.fingerprint import PACKAGE, code_hash, source_hash
from scrub.runner.prepare import Prepared, prepare_all
from scrub.runner.session import Session
from scrub.stats.bonferroni import family_size


def plan_matrix(
    claims: Sequence[Collected],
    models: Sequence[str],
    seeds: Sequence[int],
    how: How,
    start: Path,
) -> list[Cell]:
    """The cells of claims × models × seeds × shards, models outermost.

    Args:
        models: names, directories or FILE.py::VARIABLE; none: the one that each file names.
        start: the directory in which the command was started.

    Raises:
        UserError: with every claim that is illegal on a model, and every model that is not there.
    """
    session, problems = Session(), list[Problem]()
    prepared: list[tuple[str, Sequence[Prepared | Inapplicable]]] = []
    for model in models or ("",):
        try:
            options = how.options(model, seeds[0], "cpu")  # workers have the device
            prepared.append((model, prepare_all(claims, session, options)))
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(*dict.fromkeys(problems))
    weights: dict[int, tuple[Model, str]] = {}
    cells, code = [], code_hash(PACKAGE)
    for model, there in prepared:
        for item, one in zip(claims, there, strict=True):
            known = (
                one.model if isinstance(one, Prepared) else session.describe(model or item.model)
            )
            if id(known) not in weights:
                weights[id(known)] = (known, weights_of(known))
            depends = Depends(source_hash(item.claim), code, one.data.sha256, weights[id(known)][1])
            first = _first(item, one, model, known.name, how, depends)
            # What is not about the model is said once a seed, and takes no shards.
            shards = range(how.shards if isinstance(one, Prepared) else 1)
            cells += [
                evolve(first, seed=seed, shard=shard, start=str(start))
                for seed in seeds
                for shard in shards
            ]
    return list({cell.key: cell for cell in cells}.values())


def _first(
    item: Collected,
    one: Prepared | Inapplicable,
    model: str,
    model_name: str,
    how: How,
    depends: Depends,
) -> Cell:
    """The first cell of a claim on a model."""
    return Cell(
        file=item.file,
        path=str(item.path),
        start="",
        claim=item.claim.name,
        model=model,
        model_name=model_name,
        seed=0,
        shard=0,
        how=how,
        depends=depends,
        judged=isinstance(one, Prepared) and bool(family_size([item.claim])),
    )
