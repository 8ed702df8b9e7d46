"""Measure circuits: the metric per reference where all but a circuit is knocked out.

A circuit is the tree `root(Exact, other=convention) ← inputs(Exact)`, the embeddings, by paths that
pass what is kept. All circuits of one subject and convention have the same draws, so that their
numbers are paired; those that are measured together are one plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from attrs import define, evolve, field
from jaxtyping import Float

from scrub.checks.circuits import check_passed
from scrub.checks.structure import check, check_cells, check_drawn, check_positions
from scrub.circuits.conventions import Convention
from scrub.circuits.intact import ended_early, frames_are_alike
from scrub.circuits.kept import WHOLE, Kept, digest, parts_of
from scrub.circuits.measurements_file import MeasurementsFile
from scrub.circuits.subject import MEASURING, Subject
from scrub.data.dataset import Rows
from scrub.draw import Draws, NodeDraw, draw
from scrub.engine.activations import ActivationCache
from scrub.engine.budget import Budget
from scrub.engine.family import execute_family, plan_family
from scrub.engine.family_cost import fit_family, predict_family
from scrub.engine.steps import FamilyPlan
from scrub.errors import Problems, UserError
from scrub.hypothesis.circuit import Circuit, Edge, Placed
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import Route, Sites, none
from scrub.hypothesis.tree import Tree, treeify
from scrub.model.registry import Model
from scrub.names import EMBED, POS_EMBED, Cell
from scrub.runner.context import Context
from scrub.runner.duration import ANNOUNCED, estimated_seconds, span_in_words
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.memory import room_for
from scrub.runner.outputs import Outputs
from scrub.runner.scoring import measuring_several
from scrub.runner.user_code import located
from scrub.samplers import Exact, source_of
from scrub.stats.intervals import CONFIDENCE, Interval
from scrub.stats.scores import Scores

Numbers = Float[np.ndarray, "metrics samples"]
ROOT, INPUTS = "root", "inputs"
"""Names of the nodes. A claim with these names has the same draws."""
TOGETHER = 32
"""Circuits in one plan, at most: what they share is computed once, and planned once."""
AT_ONCE = 20.0
"""Seconds that circuits of one plan may take, where that is not one circuit: what is measured is
kept plan by plan."""


def tree_of(subject: Subject, kept: Kept, convention: Convention) -> Tree:
    """The tree by which a circuit is measured; of `None` its leaf draws as the root's other."""
    return treeify(_correspondence(subject, kept, convention))


def _correspondence(subject: Subject, kept: Kept, convention: Convention) -> Correspondence:
    return _claiming(subject, _embeddings(subject), kept, convention)


def _embeddings(subject: Subject) -> tuple[Cell, ...]:
    return tuple(Cell(name) for name in (EMBED, POS_EMBED) if name in subject.graph.sites)


def _claiming(
    subject: Subject, cells: tuple[Cell, ...], kept: Kept, convention: Convention
) -> Correspondence:
    root = InterpNode(ROOT, Exact(), other=convention.other)
    sampler, through = (convention.other, none) if kept is None else (Exact(), kept)
    return Correspondence(
        {
            root: subject.root,
            root.child(INPUTS, sampler): Sites((Route(cells, through=through),)),
        }
    )


@define(eq=False)
class Measurements:
    """What circuits do, each measured once: numbers per reference on one convention's draws.

    Laws: a circuit's numbers are those of a claim that is its tree, on the same draws, to rounding;
    in which order and how many at a time they are asked for changes nothing beyond rounding.

    Attributes:
        model: with weights.
        original: of the model as it is, in each metric's units.
        baseline: of the model on independent random inputs, scored against the references' labels.
        nothing: where all is knocked out, the embeddings too: F(∅).
    """

    subject: Subject
    convention: Convention
    model: Model
    draws: Draws
    context: Context
    file: MeasurementsFile
    original: Numbers = field(init=False)
    baseline: Numbers = field(init=False)
    nothing: Numbers = field(init=False)
    _flops: float = field(default=0.0, init=False)
    """Of one circuit, about: the whole model's, computed anew."""
    _alike: bool = field(default=False, init=False)
    _known: dict[str, Numbers] = field(factory=dict, init=False)
    _legal: set[Placed | Edge] = field(factory=set, init=False)

    @staticmethod
    def of(
        subject: Subject,
        convention: Convention,
        context: Context,
        outputs: Outputs | None = None,
        *,
        fresh: bool = False,
    ) -> Measurements:
        """Load the model, draw, and measure what every circuit is compared with.

        Args:
            outputs: of a command, whose measurements are kept and read again; None: they are not.
            fresh: forget what was measured before.

        Raises:
            UserError: the model cannot be loaded, a sampler or a metric of the user's fails, or one
                sample does not fit into the memory.
        """
        options = context.options
        with located(subject.item.file, subject.base.claim, MEASURING):
            context.progress.says("loading the model")
            model = context.session.load(subject.model, options.dtype, options.device)
            made = _correspondence(subject, WHOLE, convention)
            problems = check(made, model.graph, subject.data, *subject.metrics)
            if problems:
                raise UserError(*problems)
            tree = treeify(made)
            draws = draw(tree, subject.data, samples=options.samples, seed=options.seed)
            check_drawn(tree, draws, model.graph)
            file = MeasurementsFile.of(subject, convention, model, draws, context, outputs)
            if fresh:
                file.remove()
            found = Measurements(subject, convention, model, draws, context, file)
            found._begin()
        return found

    @property
    def known(self) -> int:
        """How many circuits are measured."""
        return len(self._known)

    @property
    def references(self) -> Rows:
        """The reference inputs, one a sample."""
        return self.draws.references

    def numbers(self, kept: Sequence[Kept]) -> Float[np.ndarray, "metrics kept samples"]:
        """The metrics where so much is kept: what is not known yet is computed.

        Raises:
            UserError: the model or the data does not have what is kept; or a metric fails.
            KeyboardInterrupt: it was stopped; the message says what is kept of it.
        """
        names = [digest(one) for one in kept]
        new = {name: one for name, one in zip(names, kept, strict=True) if name not in self._known}
        with located(self.subject.item.file, self.subject.base.claim, MEASURING):
            self._check(list(new.values()))
            if new:
                with self.saving():
                    self._compute(new)
        return np.stack([self._known[name] for name in names], axis=1)

    def recovered(self, kept: Kept, *, metric: int = 0, confidence: float = CONFIDENCE) -> Interval:
        """Loss recovered: what `scrub test` says of the claim that is this tree."""
        (value,) = self.numbers([kept])[metric]
        scores = Scores(self.original[metric], value, self.baseline[metric])
        return scores.recovered(confidence)

    def of_ablated(
        self, kept: Kept, *, metric: int = 0, confidence: float = CONFIDENCE
    ) -> Interval:
        """The share of what is lost where all is knocked out: (F(C) − F(∅)) / (F(M) − F(∅)).

        The normalisation of Hanna, Pezzelle & Belinkov (2024, arXiv 2403.17806) and of the
        Mechanistic Interpretability Benchmark (Mueller et al. 2025, arXiv 2504.13151).
        """
        (value,) = self.numbers([kept])[metric]
        scores = Scores(self.original[metric], value, self.nothing[metric])
        return scores.recovered(confidence)

    def announcement(self, count: int) -> str:
        """One line on how long so many more circuits will take; "" where that is not long."""
        seconds = self.seconds(count)
        if seconds <= ANNOUNCED:
            return ""
        return (
            f"about {span_in_words(seconds)} for {count:,} circuits; Ctrl-C keeps what is "
            "computed, and the same command resumes"
        )

    def seconds(self, count: int) -> float:
        """How long so many more circuits will take, about: 0 where it is too little to matter."""
        options = self.context.options
        return estimated_seconds(count * self._flops, options.device, options.dtype)

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Whatever stops the block, what was measured is written.

        Raises:
            KeyboardInterrupt: it was stopped; the message says what is kept.
        """
        with sigterm_stops():
            try:
                yield
            except KeyboardInterrupt as stopped:
                with nothing_stops():
                    said = self.file.save(self._known, at_once=True)
                    raise type(stopped)(str(stopped) or said) from None
            except Exception:
                self.file.save(self._known, at_once=True)
                raise
        self.file.save(self._known)

    def keep(self) -> None:
        """Write what was measured, however little it is: a command is about to end."""
        self.file.save(self._known, at_once=True)

    def _begin(self) -> None:
        """Measure the model as it is and knocked out; read what was measured before."""
        tree = tree_of(self.subject, None, self.convention)
        other = self.draws.nodes[ROOT,].other
        assert other is not None, "the root has a child"
        draws = evolve(self.draws, nodes={**self.draws.nodes, (ROOT, INPUTS): NodeDraw(other)})
        self._alike = frames_are_alike(self.draws)
        whole = self._planned([tree_of(self.subject, WHOLE, self.convention)])
        self._flops = predict_family(whole[0], self.draws, self._budget(*whole)).flops
        self.original, self.baseline, nothing = self._measured(
            *self._planned([tree]), draws, told=False
        )
        self.nothing = nothing[:, 0]
        self._known = self.file.read()
        self._check_kept(draws)
        self._known[digest(None)] = self.nothing

    def _check_kept(self, draws: Draws) -> None:
        """Drop what was measured before if the knocked-out model is not the same now."""
        before = self._known.get(digest(None))
        if before is None:
            self._known = {}
            return
        scale = np.abs(before[np.isfinite(before)]).max(initial=0.0)
        near = np.finfo(np.float32).eps ** 0.5 * scale
        if not np.allclose(before, self.nothing, rtol=0, atol=near, equal_nan=True):
            self.context.progress.note(
                f"{self.file.path} cannot be resumed from: what was computed before is not what is "
                "computed now."
            )
            self._known = {}

    def _check(self, kept: Sequence[Kept]) -> None:
        """Refuse sites, edges and positions that model or data do not have; each is asked once.

        That no path passes a site is no mistake here: it recovers nothing.
        """
        parts = dict.fromkeys(part for one in kept for part in parts_of(one))
        new = [part for part in parts if part not in self._legal]
        if not new:
            return
        cells = tuple(part for part in new if isinstance(part, Placed))
        edges = tuple(part for part in new if isinstance(part, Edge))
        named = evolve(none, circuit=Circuit(cells=cells, edges=edges))
        made, problems = _correspondence(self.subject, named, self.convention), Problems()
        brought = source_of(self.convention.other)
        for node, sites in made.sites.items():
            for route in sites.routes:
                check_cells(node, route, self.model.graph, problems)
                check_passed(node, route, self.model.graph, problems)
                for data in (self.subject.data, *([brought] if brought else [])):
                    check_positions(node, route, data, self.model.graph, problems)
        problems.refuse()
        check_drawn(treeify(made), self.draws, self.model.graph)
        self._legal.update(new)

    def _compute(self, new: dict[str, Kept]) -> None:
        names, progress = list(new), self.context.progress
        progress.says(self.subject.item.behaviour.name)
        progress.expects(len(names) * len(self.references))
        step = self._at_once()
        for first in range(0, len(names), step):
            some = names[first : first + step]
            trees = [self._tree(new[name]) for name in some]
            plan, cache = self._planned(trees)
            *_, numbers = self._measured(plan, cache, self.draws)
            for number, member in enumerate(plan.members):
                if all(source.step is None for _, source in member.result.cells):
                    numbers[:, number] = self.nothing  # no path comes to the root
            self._known |= {name: numbers[:, n] for n, name in enumerate(some)}
            self.file.save(self._known)

    def _tree(self, kept: Kept) -> Tree:
        """A tree with the values of `tree_of`, of which less has to be computed."""
        if not self._alike:
            return tree_of(self.subject, kept, self.convention)
        early, left = ended_early(kept, self.model.graph)
        cells = (*_embeddings(self.subject), *early)
        return treeify(_claiming(self.subject, cells, left, self.convention))

    def _at_once(self) -> int:
        """Circuits in one plan."""
        one = self.seconds(1)
        return TOGETHER if one == 0 else int(min(max(AT_ONCE / one, 1), TOGETHER))

    def _planned(self, trees: Sequence[Tree]) -> tuple[FamilyPlan, ActivationCache]:
        plan = plan_family(trees, self.model.graph, columns=self.subject.base.of_labels)
        return plan, self.context.session.cache(self.model, plan.graph)

    def _budget(self, plan: FamilyPlan, cache: ActivationCache) -> Budget:
        memory = self.context.options.max_memory
        return room_for(
            plan,
            self.draws,
            cache,
            self.context,
            lambda: fit_family(plan, self.draws, cache, memory),
        )

    def _measured(
        self, plan: FamilyPlan, cache: ActivationCache, draws: Draws, *, told: bool = True
    ) -> tuple[Numbers, Numbers, Float[np.ndarray, "metrics members samples"]]:
        """The metrics of original, baseline and each member."""
        metrics, samples = self.subject.metrics, len(draws.references)
        plain = np.empty((2, len(metrics), samples))
        numbers = np.empty((len(metrics), len(plan.members), samples))
        for output in execute_family(plan, draws, cache, self._budget(plan, cache)):
            references = draws.references.at(draws.references.index[output.samples])
            of = [
                measuring_several(plan.members[0], metric, references, output.original)
                for metric in metrics
            ]
            for row, measured in enumerate(of):
                (plain[0, row, output.samples],) = measured(output.original, 1)
                (plain[1, row, output.samples],) = measured(output.baseline, 1)
            for batch in output.batches():
                members = list(batch.members)
                for row, measured in enumerate(of):
                    numbers[row, members, output.samples] = measured(batch.value, len(members))
                if told:
                    self.context.progress.advance(len(references) * len(members))
        return plain[0], plain[1], numbers
