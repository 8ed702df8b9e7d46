"""Work on several measurements: whatever stops it, what was measured is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from scrub.circuits.conventions import Convention
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import Subject
from scrub.runner.context import Context
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.outputs import Outputs


@define(eq=False)
class Begun:
    """The measurements that were begun.

    Attributes:
        outputs: of a command; None: nothing is kept.
        fresh: forget what an earlier command measured.
    """

    context: Context
    outputs: Outputs | None = None
    fresh: bool = False
    measurements: list[Measurements] = field(factory=list, init=False)

    def of(self, subject: Subject, convention: Convention) -> Measurements:
        """Begin to measure.

        Raises:
            UserError: as `Measurements.of`.
        """
        made = Measurements.of(subject, convention, self.context, self.outputs, fresh=self.fresh)
        self.measurements.append(made)
        return made

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Write them when the block is left, however that is.

        Raises:
            KeyboardInterrupt: it was stopped; the message says what is kept.
        """
        with sigterm_stops():
            try:
                yield
            except KeyboardInterrupt as stopped:
                with nothing_stops():
                    kept = self._keep()
                    raise type(stopped)(str(stopped) or kept) from None
            finally:
                self._keep()

    def _keep(self) -> str:
        """Write what was measured; says so, where it is kept."""
        for measured in self.measurements:
            measured.keep()
        known = sum(measured.known for measured in self.measurements)
        if self.outputs is None or not known:
            return ""
        return f"{known:,} circuits were measured, and the same command resumes"
