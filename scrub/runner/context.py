"""What all claims of one run share."""

from __future__ import annotations

from typing import Any

from attrs import evolve, frozen

from scrub.draw import Draws
from scrub.model.registry import Model
from scrub.printing import brief
from scrub.runner.checkpoint import Checkpoint, Checkpoints
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.runner.progress import SILENT, Progress
from scrub.runner.session import Session


@frozen(eq=False, repr=False)
class Context:
    """What all claims of one run share.

    Attributes:
        session: the models, data and plain activations.
        options: how to run.
        progress: is told how far the run is.
        checkpoints: what an earlier run computed, to which this one adds; None: nothing is saved.
        family_size: how many claims are judged in the run (see `scrub.stats.bonferroni`).
    """

    session: Session
    options: Options
    progress: Progress = SILENT
    checkpoints: Checkpoints | None = None
    family_size: int = 1

    def with_options(self, **options: Any) -> Context:
        """The same run with some options changed."""
        return evolve(self, options=evolve(self.options, **options))

    def checkpoint(self, prepared: Prepared, model: Model, draws: Draws) -> Checkpoint:
        """The checkpoint of one scrub."""
        if self.checkpoints is None:
            return Checkpoint(prepared.name)
        return self.checkpoints.of(prepared, model, self.options, draws)

    def __repr__(self) -> str:
        return brief(self)
