"""One sample of a claim: what was swapped, where heads look, and what the model answers.

Nothing here is a test. Attention of the plain model is read from the activation cache; that of the
scrubbed model is the claim's own tree, with the head's pattern as its root.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen
from jaxtyping import Float

from scrub import names
from scrub.checks.reachability import explore
from scrub.data.dataset import Rows
from scrub.data.frames import END
from scrub.draw import Draws, NodeDraw
from scrub.engine.budget import fit
from scrub.engine.execute import Outputs, execute
from scrub.engine.passing import passage
from scrub.engine.plan import plan
from scrub.engine.specialise import specialise
from scrub.hypothesis.sites import ALL, Head, Route, Spec
from scrub.hypothesis.tree import Occurrence, Tree
from scrub.model.registry import Model
from scrub.names import LOGITS, Cell
from scrub.observations.heads import role_of
from scrub.observations.subject import values_of
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.runner.session import Session

OWN_PARTS = ("z", "result", "pattern")
"""Parts of a head that stand for it: a node that claims one decides where the head looks."""
LABELS = 8
"""Labels whose probabilities are read, at most; those of the metric come first."""


@frozen(eq=False)
class Look:
    """Where a head looks in one run of the model.

    Attributes:
        title: which run.
        rows: the one row at whose positions it looks.
        attention: to each position of that row; sums to 1.
    """

    title: str
    rows: Rows
    attention: Float[np.ndarray, " positions"]


@frozen(eq=False)
class Looking:
    """Where a head looks from one position, run by run."""

    head: Head
    role: str
    at: Spec
    looks: tuple[Look, ...]


@frozen(eq=False)
class Answers:
    """Probabilities of labels, run by run.

    Attributes:
        labels: names of label columns, and the word that each is in this sample.
        runs: which run → the probability of each.
    """

    labels: tuple[str, ...]
    runs: Mapping[str, tuple[float, ...]]


@frozen(eq=False)
class Swapped:
    """An input that a node drew: the one row, and what is said of it."""

    title: str
    rows: Rows


@frozen(eq=False)
class Example:
    """One sample of a claim.

    Attributes:
        reference: the one row.
        swapped: what nodes drew that is not the reference, each distinct input once.
        looking: of each head.
        answers: None where the root is not the logits of one position.
        left_out: heads that were not looked at, of so many.
    """

    reference: Rows
    swapped: tuple[Swapped, ...]
    looking: tuple[Looking, ...]
    answers: Answers | None
    left_out: int = 0


def example(
    claim: Prepared,
    draws: Draws,
    session: Session,
    options: Options,
    *,
    sample: int = 0,
    heads: int = 6,
) -> Example:
    """One sample of a claim.

    Args:
        draws: of the claim.
        sample: which.
        heads: heads to look at, at most; those of the claim come before others that have a role.

    Raises:
        UserError: the model cannot be loaded, or one sample does not fit into the memory.
    """
    model = session.load(claim.model, options.dtype, options.device, recheck=options.recheck)
    one = draws.at(np.array([sample]))
    runs = _Runs(model, claim.tree, one, session, options)
    every = _named(claim.tree, model)
    at = END if END in one.references.data.positions else None
    looking = () if at is None else tuple(runs.looking(head, at) for head in every[:heads])
    return Example(
        one.references,
        _swapped(claim.tree, one),
        looking,
        runs.answers((*claim.metric.labels, *one.references.data.labels)),
        len(every) - len(looking),
    )


def _named(tree: Tree, model: Model) -> list[Head]:
    """The heads that a claim names, and then those that have a role, which it may act upon."""
    claimed = claimed_heads(tree)
    roles = [(int(layer), int(head)) for of in model.roles.values() for layer, head in of]
    return list(dict.fromkeys((*claimed, *sorted(roles))))


def claimed_heads(tree: Tree) -> list[Head]:
    """The heads that a claim names, by layer and number."""
    cells = (cell for node in tree.walk() for route in node.routes for cell in route.cells)
    found = [(cell.name.layer, cell.head) for cell in cells if cell.head is not None]
    return sorted({(layer, head) for layer, head in found if layer is not None})


def _swapped(tree: Tree, draws: Draws) -> tuple[Swapped, ...]:
    """What nodes drew that is not the reference, in the order of the tree."""
    reference = draws.references
    found: dict[object, Swapped] = {}
    for node in tree.walk():
        drawn = draws.nodes[node.path]
        for which, rows in (("own", drawn.own), ("other", drawn.other)):
            if rows is None or rows.data.given is not None:
                continue
            key = (id(rows.data), int(rows.index[0]))
            if key != (id(reference.data), int(reference.index[0])):
                title = f"{node.node.name}, {which}"
                before = found.get(key)
                said = title if before is None else f"{before.title}; {title}"
                found[key] = Swapped(said, rows)
    return tuple(found.values())


@frozen(eq=False)
class _Runs:
    """Runs of one sample of a claim."""

    model: Model
    tree: Tree
    draws: Draws
    session: Session
    options: Options

    @property
    def before(self) -> Rows | None:
        """The root's other input; None: it has none, or is computed on no input."""
        other = self.draws.nodes[self.tree.path].other
        return None if other is None or other.data.given is not None else other

    def looking(self, head: Head, at: Spec) -> Looking:
        """Where a head looks on the reference, on the root's other input, and in the scrub."""
        looks = [self._plain("on the reference", self.draws.references, head, at)]
        if self.before is not None and not _same(self.before, self.draws.references):
            looks.append(self._plain("on the root's other input", self.before, head, at))
        scrubbed = self._scrubbed(head, at)
        if scrubbed is not None and not any(_alike(scrubbed, look) for look in looks):
            looks.append(scrubbed)
        return Looking(head, role_of(head, self.model), at, tuple(looks))

    def answers(self, labels: Iterable[str]) -> Answers | None:
        """Probabilities of labels of the reference, in each run."""
        (route,) = self.tree.routes[:1]
        if route.cells != (Cell(LOGITS),) or len(route.at) != 1 or route.at == ALL:
            return None
        reference = self.draws.references
        tokens: dict[int, list[str]] = {}
        for label in dict.fromkeys(labels):
            token = int(reference.data.label(label)[reference.index[0]])
            tokens.setdefault(token, []).append(label)
        chosen = list(tokens)[:LABELS]
        found = self._run(self.tree, self.draws, before=self.before is not None)
        values = {
            "reference": found.original,
            "root's other input": found.before,
            "scrubbed": found.scrubbed,
        }
        runs = {}
        for name, value in values.items():
            if value is not None:
                shares = value.reshape(-1).double().softmax(-1)[chosen]
                runs[name] = tuple(shares.cpu().tolist())
        return Answers(tuple(self._word(token, tokens[token]) for token in chosen), runs)

    def _word(self, token: int, labels: Sequence[str]) -> str:
        tokenizer = self.model.tokenizer
        word = str(token) if tokenizer is None else tokenizer.decode([token])[0].strip()
        called = [label for label in labels if label != word]
        return f"{word} ({', '.join(called)})" if called else word

    def _plain(self, title: str, rows: Rows, head: Head, at: Spec) -> Look:
        """Where a head of the plain model looks on an input."""
        site = names.attention_site(head[0], "pattern")
        values = values_of(self.model, rows, self.session, self.options)
        (part,) = values.parts([site])
        found = part.value(site, part.index(at))[0, 0, head[1]]
        return Look(title, rows, found.double().cpu().numpy())

    def _scrubbed(self, head: Head, at: Spec) -> Look | None:
        """Where a head looks in the scrub; None: on values that no input has."""
        title = "in the scrubbed model"
        node = claiming(self.tree, head, at)
        top = self.tree if node is None else node
        drawn = self.draws.nodes[top.path]
        if drawn.frame.data.given is not None:
            return None
        tree = pattern_tree(top, head, at, drawn.frame, self.model, passing=node is None)
        if tree is None:
            return self._plain(title, drawn.frame, head, at)
        found = self._run(tree, _below(self.draws, top, tree))
        attention = found.scrubbed.reshape(-1)
        return Look(title, drawn.frame, attention.double().cpu().numpy())

    def _run(self, tree: Tree, draws: Draws, *, before: bool = False) -> Outputs:
        steps = plan(tree, self.model.graph, before=before)
        cache = self.session.cache(self.model, steps.graph)
        within = fit(steps, draws, cache, self.options.max_memory)
        (found,) = execute(steps, draws, cache, within)
        return found


def claiming(tree: Tree, head: Head, at: Spec) -> Occurrence | None:
    """The node that says where a head looks from a position: it stands for the head or its pattern.

    None: no node does, so that the head is computed where the root is.
    """
    found = [
        (cell.name.part != "pattern", number, node)
        for number, node in enumerate(tree.walk())
        for route in node.routes
        for cell in route.cells
        if (cell.name.layer, cell.head) == head
        and cell.name.part in OWN_PARTS
        and cell.part is None
        and (route.at == ALL or at in route.at)
    ]
    return min(found, key=lambda one: one[:2])[2] if found else None


def pattern_tree(
    top: Occurrence, head: Head, at: Spec, frame: Rows, model: Model, *, passing: bool
) -> Tree | None:
    """The tree below a node with a head's pattern as its root; None: no child reaches that.

    Law: its scrubbed value is the pattern that the head has inside the scrub of the node.

    Args:
        top: the node that stands for the head; or the root, if none does.
        frame: what the node is computed on.
        passing: whether children reach the head on their way, which their paths must allow.
    """
    pattern = Cell(names.attention_site(head[0], "pattern"), head[1])
    whole = Cell(names.attention_site(head[0], "z"), head[1])
    children = []
    for child in top.children:
        routes = child.routes
        if passing:
            allowed = (r for r in routes if not passage(r.through, whole, model.graph).nowhere)
            routes = tuple(evolve(route, into=None) for route in allowed)
        if routes:
            children.append(evolve(child, routes=routes))
    tree = evolve(top, routes=(Route((pattern,), (at,)),), children=tuple(children))
    tree = _rooted(tree, len(top.path) - 1)
    if tree.is_leaf:
        return None
    special, graph = specialise(tree, model.graph)
    reached = explore(special, graph, frame.data).reached
    kept = []
    for number, child in enumerate(special.children):
        routes = [
            evolve(route, cells=cells)
            for place, route in enumerate(child.routes)
            if (cells := tuple(c for c in route.cells if c in reached.get((number, place), {})))
        ]
        if routes:
            kept.append(evolve(tree.children[number], routes=tuple(routes)))
    return evolve(tree, children=tuple(kept)) if kept else None


def _rooted(node: Occurrence, above: int) -> Occurrence:
    """The same occurrence without the names above it in the paths."""
    children = tuple(_rooted(child, above) for child in node.children)
    return evolve(node, path=node.path[above:], children=children)


def _below(draws: Draws, top: Occurrence, tree: Tree) -> Draws:
    """What the nodes of the tree below a node drew."""
    above = top.path[:-1]
    nodes: dict[tuple[str, ...], NodeDraw] = {
        node.path: draws.nodes[(*above, *node.path)] for node in tree.walk()
    }
    return Draws(draws.references, draws.baseline, nodes)


def _same(one: Rows, other: Rows) -> bool:
    return one.data is other.data and np.array_equal(one.index, other.index)


NOTICED = 0.005
"""Attention that differs by less everywhere looks the same."""


def _alike(one: Look, other: Look) -> bool:
    """Whether two pictures of attention would look the same."""
    if one.attention.shape != other.attention.shape or not _same(one.rows, other.rows):
        return False
    return bool(np.abs(one.attention - other.attention).max() < NOTICED)
