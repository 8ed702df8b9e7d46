"""Compute the numbers of a sweep: announced where that is long, resumed where it was stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from attrs import frozen

from scrub.runner.duration import ANNOUNCED, estimated_seconds, span_in_words
from scrub.runner.interrupts import nothing_stops, sigterm_stops
from scrub.runner.outputs import Outputs
from scrub.sweeps.measure import Members, Numbers
from scrub.sweeps.partial import Partial, Work, opened


class Announced(Work, Protocol):
    """Work of which people are told what it is, and how long it will take."""

    @property
    def says(self) -> str:
        """What the progress is of."""
        ...

    @property
    def counted(self) -> str:
        """What is computed of a reference, before "3 of 100 references": "" or "gradients at "."""
        ...

    @property
    def what(self) -> str:
        """What it takes time for: "157 senders"."""
        ...

    @property
    def units(self) -> int:
        """By how much a sample advances the progress."""
        ...

    def flops(self, samples: int) -> float:
        """Operations for so many samples that are left."""
        ...


@contextmanager
def computed(work: Announced, outputs: Outputs | None) -> Iterator[Numbers]:
    """The numbers of all samples: what a partial file lacks is computed.

    The file stays until the block is left, and longer if that fails or is stopped: what comes
    after these numbers is resumed from them.

    Args:
        outputs: of a command; None: nothing is kept.

    Raises:
        KeyboardInterrupt: it was stopped, here or in the block; the message says what is kept.
    """
    partial = Partial() if outputs is None else opened(work, outputs)
    _begin(work, partial)
    with sigterm_stops():
        try:
            for part in work.chunks(partial.samples):
                partial.add(part)
            # in one order of memory, in which means are summed: also of what was read from a file
            yield np.ascontiguousarray(np.concatenate(partial.parts, axis=-1))
        except KeyboardInterrupt as stopped:
            with nothing_stops():
                kept = _stopped(work, partial)
                raise type(stopped)(str(stopped) or kept) from None
        except Exception:
            partial.save()
            raise
    if outputs is not None:
        partial.remove(outputs)


def _begin(work: Announced, partial: Partial) -> None:
    """Say what was computed before, what is computed now, and how long it will take."""
    progress, samples = work.members.context.progress, len(work.members.draws.references)
    if partial.trouble:
        progress.note(f"{partial.file} cannot be resumed from: {partial.trouble}.")
        partial.trouble = ""
    if partial.samples:
        done = f"{work.counted}{partial.samples:,} of {samples:,} references"
        progress.note(f"resuming: {done} were computed")
    progress.note(announced(work, samples - partial.samples))
    progress.says(work.says)
    progress.expects(work.units * samples)
    progress.advance(work.units * partial.samples)


def _stopped(work: Announced, partial: Partial) -> str:
    """How far stopped work came, and where its partial file is."""
    samples = len(work.members.draws.references)
    if partial.save():
        return (
            f"{work.counted}{partial.samples:,} of {samples:,} references computed; they are in "
            f"{partial.file}, and the same command resumes"
        )
    if partial.trouble:
        return f"what was computed could not be kept: {partial.trouble}"
    return ""


def announced(work: Announced, samples: int) -> str:
    """One line on how long so many samples will take; "" where that is not long."""
    options = work.members.context.options
    seconds = estimated_seconds(work.flops(samples), options.device, options.dtype)
    if seconds <= ANNOUNCED:
        return ""
    return (
        f"about {span_in_words(seconds)} for {work.what}; Ctrl-C keeps what is computed, and the "
        "same command resumes"
    )


@frozen(eq=False)
class Exact:
    """The metrics of all members, by the engine."""

    members: Members

    kind = counted = ""

    @property
    def says(self) -> str:
        return self.members.sweep.behaviour.name

    @property
    def what(self) -> str:
        return f"{self.units:,} senders"

    @property
    def units(self) -> int:
        return len(self.members.trees)

    def chunks(self, start: int) -> Iterator[Numbers]:
        return self.members.chunks(start)

    def at(self, samples: np.ndarray) -> Numbers:
        return self.members.silent().at(self.members.draws.at(samples))

    def flops(self, samples: int) -> float:
        cost, whole = self.members.cost(), len(self.members.draws.references)
        return cost.flops * samples / whole + cost.plain_flops
