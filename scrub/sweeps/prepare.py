"""Prepare a sweep: bind the behaviour to its model and data, and make one checked tree a sender.

A single member is checked as a claim is. Of a range only the paths are asked about further, all
members at once where their paths pass nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from attrs import evolve, frozen

from scrub.checks.circuits import check_passed
from scrub.checks.reachability import explore
from scrub.checks.structure import check, check_cells
from scrub.data.dataset import Dataset
from scrub.engine.passing import passage
from scrub.errors import Problem, Problems, UserError, did_you_mean
from scrub.hypothesis.arguments import several
from scrub.hypothesis.claim import Claim, definitions_made
from scrub.hypothesis.collect import Collected, CollectedBehaviour
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Sites, Through, none
from scrub.hypothesis.tree import Occurrence, Tree, treeify
from scrub.metrics import Metric, as_metric
from scrub.model.graph import Graph
from scrub.model.registry import Model
from scrub.names import Cell
from scrub.printing import printed
from scrub.runner.options import Options, check_options
from scrub.runner.prepare import Prepared, bound_hypothesis, check_samples, metrics_of
from scrub.runner.session import Session
from scrub.runner.user_code import call_users, located
from scrub.samplers import Constant, Exact, Steer, describe_sampler, is_virtual
from scrub.samplers.binding import bound
from scrub.sweeps.by_column import check_column
from scrub.sweeps.question import RECEIVER, ROOT, SENDER, PreparedSweep, Question, check_question
from scrub.sweeps.receiver import Receiver, receiver_of
from scrub.sweeps.senders import EACH, Named, Sender, named_senders, placed, whole_neurons

SWEPT = "Sweeping it"


def prepare_sweep(
    item: CollectedBehaviour, question: Question, session: Session, options: Options
) -> PreparedSweep:
    """Bind a sweep to its model and data, and check it.

    Raises:
        UserError: with its problems.
    """
    check_options(options)
    check_question(question)
    session.forget_failures()
    claim = as_claim(item)
    with located(item.file, claim, "Checking it"):
        if item.behaviour.corrupt is None:
            raise UserError(
                "It does not say how its inputs are corrupted, and a sweep needs it. Give "
                "corrupt= a sampler, such as Uncond() or Paired(a flipped copy of the data)."
            )
        collected = Collected(item.file, claim, item.model, item.path)
        model, data, correspondence = bound_hypothesis(collected, session, options)
        assert isinstance(correspondence, Correspondence), "a behaviour is one node"
        (_, says), *_ = correspondence.sites.items()
        receiver = receiver_of(question.to, model, says)
        corrupt = bound(
            item.behaviour.corrupt, lambda recipe: session.data(recipe, model), model.tokenizer
        )
        if receiver.metric and question.metrics is not None:
            raise UserError(
                f"{receiver.name} is measured itself, by no metric. Leave out metric= (--metric)."
            )
        metrics = [receiver.metric] if receiver.metric else chosen_metrics(item, question.metrics)
        root = says if receiver.root is None else receiver.root
        check_corruption(corrupt)
        family = MemberTrees(model, data, receiver, root, corrupt, question, tuple(metrics))
        family.check_receiver()
        if question.by is not None:
            check_column(question.by, data)
        senders, trees, left_out, neurons = _members(family)
        _check_gradients(corrupt, question, neurons)
        measured = len(trees) + 2  # the original and the corrupted model are measured, too
        check_samples(len(metrics) * measured, options.samples)
    base = Prepared(
        item.file, claim, model, data, metrics[0], trees[0], tuple(metrics[1:]), item.path
    )
    return PreparedSweep(
        item, question, base, receiver, senders, trees, family.tree, left_out, neurons
    )


def as_claim(item: CollectedBehaviour) -> Claim:
    """The behaviour as a claim of its root alone: what is shared with claims goes by it."""
    behaviour = item.behaviour

    @functools.wraps(behaviour.build)
    def build(model: Any) -> Correspondence:
        sites = call_users(behaviour.build, model, doing="Building it")
        if not isinstance(sites, Sites):
            raise UserError(
                f"It returns a {type(sites).__name__}. A behaviour's function returns the sites "
                'that its metric reads, such as output(at="end").'
            )
        return Correspondence({InterpNode(ROOT, Exact()): sites})

    with definitions_made():  # it is no claim of the file that may be loaded just now
        return Claim(
            behaviour.name, build, behaviour.data, behaviour.metric, model=behaviour.model,
            belief=behaviour.says, made=behaviour.made,
        )  # fmt: skip


def check_corruption(corrupt: Any) -> None:
    """Refuse what is given for sites of one size: the corrupted model is measured as a whole."""
    if isinstance(corrupt, Steer) or (isinstance(corrupt, Constant) and corrupt.value.ndim):
        raise UserError(
            f"Its corrupt= is {describe_sampler(corrupt)}, and a sweep corrupts sites of many "
            "sizes. Give Mean(…), Zero() or a sampler of inputs, or a claim about these sites."
        )


def _check_gradients(corrupt: Any, question: Question, neurons: int | None) -> None:
    if is_virtual(corrupt) and (question.approximate or neurons is not None):
        raise UserError(
            f"{describe_sampler(corrupt)} gives values that no input has, and gradients are taken "
            "between two inputs. Leave out approximate= (--approximate) and neurons, or give "
            "corrupt= a sampler of inputs, such as Uncond()."
        )


def chosen_metrics(item: CollectedBehaviour, chosen: Any) -> list[Metric]:
    """The metrics that are asked for: by name or kind those of the behaviour, or others."""
    own = metrics_of(item.behaviour.metric)
    if chosen is None:
        return own
    found = []
    for one in chosen if isinstance(chosen, list | tuple) else [chosen]:
        if not isinstance(one, str):
            found += metrics_of(one)
            continue
        named = [metric for metric in own if one in (metric.name, metric.kind)]
        if not named:
            names = [metric.name for metric in own]
            kinds = [metric.kind for metric in own if metric.recomputable]
            raise UserError(f'It has no metric "{one}". {did_you_mean(one, [*names, *kinds])}')
        found.append(named[0])
    if not found:
        raise UserError(f"metric={printed(chosen)} names no metric. Leave it out for all.")
    return list(dict.fromkeys(as_metric(metric) for metric in found))


@frozen(eq=False)
class MemberTrees:
    """What the members of a sweep share, from which each member's tree is made."""

    model: Model
    data: Dataset
    receiver: Receiver
    root: Sites
    corrupt: Any
    question: Question
    metrics: tuple[Metric, ...]

    @property
    def graph(self) -> Graph:
        return self.model.graph

    def correspondence(self, sender: Sender | None) -> Correspondence:
        """The hypothesis of one member; without a sender that of root and receiver alone.

        Restoring, all is computed on the corrupted input but the sender, which is computed on the
        reference; corrupting, the other way round.
        """
        own, other = Exact(), Exact()
        if self.question.restore:
            other = self.corrupt
        else:
            own = self.corrupt
        parent = root = InterpNode(ROOT, Exact(), other=other)
        sites = {root: self.root}
        if self.receiver.sites is not None:
            parent = root.child(RECEIVER, Exact(), other=other)
            sites[parent] = self.receiver.sites
        if sender is not None:
            sites[parent.child(SENDER, own)] = sender.sites(self.question.through)
        return Correspondence(sites)

    def tree(self, sender: Sender) -> Tree:
        return treeify(self.correspondence(sender))

    def check_receiver(self) -> None:
        """Refuse a receiver that the root has no path to, or that is not there.

        Raises:
            UserError: with every problem.
        """
        self._check(self.correspondence(None))

    def check_member(self, sender: Sender) -> None:
        """Refuse a member as a claim is refused.

        Raises:
            UserError: with every problem; the sentence names the sender.
        """
        self._check(self.correspondence(sender))

    def check_through(self, sender: Sender) -> None:
        """Refuse a way to the receiver that passes what the model does not have.

        Raises:
            UserError: with every problem.
        """
        problems, node = Problems(), InterpNode(SENDER, Exact())
        for route in sender.sites(self.question.through).routes[:1]:
            check_cells(node, route, self.graph, problems)
            check_passed(node, route, self.graph, problems)
        problems.refuse()

    def _check(self, correspondence: Correspondence) -> None:
        problems = check(correspondence, self.graph, self.data, *self.metrics)
        if problems:
            raise UserError(*problems)

    def reaching(self, senders: Sequence[Sender]) -> list[Sender]:
        """Those that reach the receiver: all their sites, at all their positions in some row."""
        if plain := self._reaching_whole(senders):
            return plain
        groups: dict[object, list[Sender]] = {}
        for number, sender in enumerate(senders):
            groups.setdefault(self._apart(number, sender), []).append(sender)
        reaching = {one for group in groups.values() for one in self._reaching(group)}
        return [sender for sender in senders if sender in reaching]

    def _reaching_whole(self, senders: Sequence[Sender]) -> list[Sender]:
        """The same where no position is named, at a fraction of the cost; [] where one is."""
        through = self.question.through
        named = any(sender.at != "all" for sender in senders)
        if named or through != Through(through.kinds):
            return []
        receiver = self.receiver.sites or self.root
        starts = [cell for route in receiver.routes for cell in route.cells]
        found: dict[tuple[Cell, ...], frozenset[Cell]] = {}
        for sender in senders:
            if sender.before not in found:
                passed = sender.sites(through).routes[0].through
                found[sender.before] = written_upstream(self.graph, starts, passed)
        return [sender for sender in senders if found[sender.before] >= set(sender.cells)]

    def _apart(self, number: int, sender: Sender) -> object:
        """What tells senders apart whose paths may run through each other.

        Paths that pass nothing run through none, and no path to a head or an MLP runs through
        others of its layer and kind.
        """
        if sender.before or sender.kind not in ("heads", "mlps"):
            return number
        return None if self.question.through == none else sender.layer

    def _reaching(self, senders: Sequence[Sender]) -> list[Sender]:
        node = self.tree(senders[0])
        while not node.children[0].is_leaf:
            node = node.children[0]
        (child,) = node.children
        routes = [sender.sites(self.question.through).routes for sender in senders]
        children = tuple(
            Occurrence((*node.path, str(number)), child.node, below, ())
            for number, below in enumerate(routes)
        )
        reached = explore(evolve(node, children=children), self.graph, self.data).reached

        def whole(child: int) -> bool:
            for number, route in enumerate(routes[child]):
                there = reached.get((child, number), {})
                for cell in route.cells:
                    specs = there.get(cell, set())
                    if not specs or (route.at != "all" and not set(route.at) <= specs):
                        return False
            return True

        return [sender for number, sender in enumerate(senders) if whole(number)]


def written_upstream(graph: Graph, starts: Sequence[Cell], through: Through) -> frozenset[Cell]:
    """All that writes to a stream that a path from these cells comes along, wherever it stands."""
    found: set[Cell] = set()
    streams: dict[str, None] = {}
    for start in starts:
        for below in graph.streams_below[start.site].values():
            streams |= dict.fromkeys(below)
    waiting = list(streams)
    while waiting:
        stream = waiting.pop()
        base = graph.streams[stream].base
        further = [base] if base is not None else []
        for cell in graph.writing[stream]:
            found.add(cell)
            if not passage(through, cell, graph).nowhere:
                for read in graph.read_by[graph.sites[cell.site].group].values():
                    further += read
        waiting += [name for name in dict.fromkeys(further) if name not in streams]
        streams |= dict.fromkeys(further)
    return frozenset(found)


def _members(
    family: MemberTrees,
) -> tuple[tuple[Sender, ...], tuple[Tree, ...], int, int | None]:
    """Senders and trees of a sweep, how many of the range were left out, and the neurons' layer."""
    question = family.question
    named = named_senders(question.senders, family.model)
    if named.neurons is not None:
        found: Sequence[Sender] = (whole_neurons(named.neurons),)
    else:
        found = named.senders
    _check_columns(question.at, family.data)
    candidates = placed(found, question.at, list(family.data.positions))
    if not named.ranged:
        problems: list[Problem] = []
        for sender in candidates:
            try:
                family.check_member(sender)
            except UserError as error:
                problems += error.problems
        if problems:
            raise UserError(*dict.fromkeys(problems))
        senders = list(candidates)
    else:
        family.check_through(candidates[0])
        senders = family.reaching(candidates)
        if not senders:
            searched = isinstance(question.senders, Named)  # by a search, whose paths are given
            kinds = f"({question.senders})" if searched else printed(question.senders)
            others = "other positions: at= (--at)" if searched else "others, or through=anything"
            raise UserError(
                f"None of the {len(candidates)} senders {kinds} leads to the "
                f"receiver {family.receiver.name}{_by_way(question.through)}: they come after it, "
                f"or at positions that it does not read. Give {others}."
            )
        family.check_member(senders[0])
    trees = tuple(map(family.tree, senders))
    return tuple(senders), trees, len(candidates) - len(senders), named.neurons


def _by_way(through: Through) -> str:
    return " directly" if through == none else f" through {through}"


def _check_columns(at: Any, data: Dataset) -> None:
    """Refuse a position that the data does not have, once for all senders."""
    if not several(at):
        raise UserError(
            f'at={printed(at)} names no position. Give "each", "all", a column, an index, or '
            "several of them."
        )
    for spec in several(at):
        if isinstance(spec, str) and spec not in ("all", EACH) and spec not in data.positions:
            raise data.lacks("position column", spec)
        if isinstance(spec, int) and not 0 <= spec < data.width:
            nearest = min(max(spec, 0), data.width - 1)
            raise UserError(
                f'Position {spec} is outside dataset "{data.name}": its rows have positions 0 to '
                f"{data.width - 1}. The nearest is {nearest}."
            )
    if at == EACH and not data.positions:
        raise UserError(f'at="each": dataset "{data.name}" has no position columns. Leave it out.')
