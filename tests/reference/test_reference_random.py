"""The reference evaluator on random trees: against hooked forwards, its laws, and its mutants."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from attrs import evolve
from torch import Tensor

from oracle import hooked
from scrub.data.dataset import Rows
from scrub.draw import Draws, NodeDraw, draw
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import heads
from scrub.hypothesis.tree import treeify
from scrub.reference import components, evaluate, modules, transformer, tree
from scrub.reference.modules import Modules
from scrub.reference.path import Path
from scrub.reference.summands import Summands
from scrub.samplers import Exact, Uncond
from support.generator import Case, numbered_case, random_case
from support.tiny_models import SHAPES, bridge

# Laws


def drawn(case: Case) -> Draws:
    return draw(treeify(case.correspondence), case.data, samples=case.samples, seed=case.seed)


def all_exact(correspondence: Correspondence) -> Correspondence:
    made: dict[InterpNode, InterpNode] = {}

    def exact(node: InterpNode) -> InterpNode:
        if node not in made:
            above = tuple(exact(parent) for parent in node.parents)
            made[node] = evolve(node, sampler=Exact(), other=Exact(), parents=above)
        return made[node]

    return Correspondence({exact(node): sites for node, sites in correspondence.sites.items()})


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Relative to the largest output."""
    found, expected = found.double(), expected.double()
    scale = float(expected.abs().max()) or 1.0
    return float((found - expected).abs().max()) / scale


def test_all_exact_is_the_plain_model() -> None:
    for seed in range(60):
        case = numbered_case(seed)
        case = evolve(case, correspondence=all_exact(case.correspondence))
        draws = drawn(case)
        found = evaluate(case.correspondence, draws, case.bridge)
        (root,) = (node for node in case.correspondence.sites if not node.parents)
        alone = Correspondence({root: case.correspondence.sites[root]})
        draws = evolve(draws, nodes={("root",): NodeDraw(draws.references)})
        expected = hooked.evaluate(hooked.same_way, alone, draws, case.model_name)
        assert found.shape == expected.shape
        assert largest_difference(found, expected) <= 1e-9, seed


# Random trees, and evaluators that are wrong


Known = tuple[Case, Draws, Tensor]


def key_by_query() -> Case:
    """Of two heads the later reads the key of the earlier by its query, the earlier does not."""
    root = InterpNode("root", Exact(), other=Exact())
    key = root.child("key", Uncond())
    sites = {
        root: heads([(1, 0), (0, 0)], at="end"),
        key: heads([(0, 0)], part="k", into="q"),
    }
    return evolve(
        random_case(0), model_name="2x2", bridge=bridge("2x2"), correspondence=Correspondence(sites)
    )


@pytest.fixture(scope="module")
def known() -> list[Known]:
    """Random cases for which a hooked forward per node is enough, with what it gives."""
    cases = []
    for case in [key_by_query(), *(random_case(s, nodes=3 if s % 3 else 5) for s in range(320))]:
        draws = drawn(case)
        if any(rows.data.given is not None for rows in draws.rows()):
            continue  # a forward has inputs, virtual rows have none
        for fits, run in [
            (hooked.fits_same_way, hooked.same_way),
            (hooked.fits_straight, hooked.straight),
        ]:
            if len(draws.nodes) > 1 and fits(case.correspondence):
                cases.append(
                    (case, draws, hooked.evaluate(run, case.correspondence, draws, case.model_name))
                )
    assert len(cases) > 60
    nested = [case for case, draws, _ in cases if max(map(len, draws.nodes)) > 2]
    assert sum(case.bridge.cfg.n_key_value_heads is not None for case in nested) > 2
    assert sum(split(case) for case in nested) > 2
    assert sum(not SHAPES[case.model_name].mlps for case in nested) > 2
    return cases


def split(case: Case) -> bool:
    return any(
        route.split for sites in case.correspondence.sites.values() for route in sites.routes
    )


def disagreement(known: list[Known]) -> Case | None:
    """The first case on which the evaluator is wrong."""
    for case, draws, expected in known:
        found = evaluate(case.correspondence, draws, case.bridge)
        if largest_difference(found, expected) > 1e-9:
            return case
    return None


def test_random_trees_agree_with_hooked_forwards(known: list[Known]) -> None:
    assert disagreement(known) is None


def through_all(self: Path, passes: bool) -> Path:
    return evolve(self, ports=None, leaves=True)


def through_none(self: Path, passes: bool) -> Path:
    return evolve(self, ports=None, leaves=False)


def through_same_ports(self: Path, passes: bool) -> Path:
    return evolve(self, leaves=passes)


def one_frame(route: Any, rows: Rows, width: int, right: Any = tree.positions) -> Tensor:
    return right(route, rows, width)[:1].expand(len(rows), -1)


def without_never(through: Any, component: Any, right: Any = components.allows) -> bool:
    return right(evolve(through, never=()), component)


def not_landed(self: Path, value: Tensor, cell: Any) -> Tensor:
    return value


def rest_is_all(self: Summands, site: str, part: str, *given: Any) -> Tensor:
    return given[0] if part == "rest" else SUMMAND(self, site, part, *given)


SUMMAND = Summands.summand


def all_real(cell: Any, frame: Any, paths: Any, right: Any = transformer.from_inputs) -> Tensor:
    value = right(cell, frame, paths)
    return torch.ones_like(value) if cell.site.endswith("mask") else value


def unscaled(self: Modules, q: Tensor, k: Tensor) -> Tensor:
    return self.rotated(q) @ self.rotated(k).transpose(1, 2)


def always_normed(module: Any, x: Tensor, right: Any = modules.normalised) -> Tensor:
    if isinstance(module.original_component, torch.nn.Identity):
        return torch.nn.functional.layer_norm(x, x.shape[-1:])
    return right(module, x)


def other_kv_head(
    self: Modules, layer: int, port: str, x: Tensor, head: int, right: Any = Modules.projected
) -> Tensor:
    return right(self, layer, port, x, head if port == "q" else self.heads - 1 - head)


MUTANTS = {
    "every component is passed": (Path, "entering", through_all),
    "no component is passed": (Path, "entering", through_none),
    "ports restrict later components too": (Path, "entering", through_same_ports),
    "excluding is ignored": (transformer, "allows", without_never),
    "paths leave by all ports": (Path, "leaves_by", lambda self, port: self.leaves),
    "paths end by any port": (Path, "ends_at", lambda self, cell, leads: cell in self.values),
    "values are dropped": (Path, "landed_on", not_landed),
    "positions are those of the first sample": (tree, "positions", one_frame),
    "internal nodes are computed on own": (NodeDraw, "frame", property(lambda self: self.own)),
    "scores are not scaled": (Modules, "scores", unscaled),
    "pads are not masked": (transformer, "from_inputs", all_real),
    "nothing rotates": (Modules, "rotated", lambda self, x: x),
    "windows are ignored": (Modules, "window", lambda self, layer: None),
    "key-value heads are mixed up": (Modules, "projected", other_kv_head),
    "blocks are sequential": (Modules, "parallel", False),
    "no query sees what comes later": (Modules, "causal", True),
    "norms where there are none": (modules, "normalised", always_normed),
    "summands are left as they are": (Summands, "exchanged", lambda self, value, *more: value),
    "the rest is the whole": (Summands, "summand", rest_is_all),
}


def test_mutants_are_found(known: list[Known], monkeypatch: pytest.MonkeyPatch) -> None:
    """In one test, since two processes would each make the cases."""
    missed = []
    for name, change in MUTANTS.items():
        with monkeypatch.context() as patch:
            patch.setattr(*change)
            missed += [name] if disagreement(known) is None else []
    assert missed == []
