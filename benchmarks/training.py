"""What scripts that train embedded models share: command line, loop, schedule, log, files."""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from attrs import frozen
from checkout import EMBEDDED
from torch import Tensor
from torch.nn import Parameter

Batch = TypeVar("Batch")
Terms = Mapping[str, Tensor]
Heads = Sequence[tuple[int, int]]
"""(layer, head) of each."""
BETAS = (0.9, 0.98)
DECAY = 0.01
"""Of weights, in AdamW."""


@frozen
class Options:
    """What the command line says."""

    out: Path
    steps: int
    seed: int
    rows: int


def parser_of(name: str, steps: int, description: str) -> argparse.ArgumentParser:
    """The command line that all training scripts have."""
    parser = argparse.ArgumentParser(description=description)
    home = EMBEDDED / name
    parser.add_argument("--out", type=Path, default=home, help="directory to write (%(default)s)")
    parser.add_argument("--steps", type=int, default=steps, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    return parser


def with_rows(parser: argparse.ArgumentParser, rows: int) -> argparse.ArgumentParser:
    """The same, where the size of a batch can be chosen."""
    parser.add_argument("--rows", type=int, default=rows, help="of a batch (default %(default)s)")
    return parser


def options(name: str, steps: int, description: str, rows: int) -> Options:
    """Read the command line of a training script that asks for nothing else."""
    return options_of(with_rows(parser_of(name, steps, description), rows).parse_args())


def options_of(given: argparse.Namespace) -> Options:
    """What was read of such a command line, where more was asked for too."""
    return Options(given.out, given.steps, given.seed, given.rows)


def deterministic() -> None:
    """Have torch do the same each time on one machine's CPU."""
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums over threads depend on how many there are


@frozen
class Schedule:
    """The learning rate: linear to `peak`, times half a cosine from 1 down.

    Attributes:
        peak: after the warm-up.
        warm_up: steps of it.
        middle, swing: the cosine is middle + swing · cos; both are 1 in sum.
        largest: norm that gradients are cut to.
    """

    peak: float = 2e-3
    warm_up: int = 50
    middle: float = 0.51
    swing: float = 0.49
    largest: float = 5.0

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0."""
        cosine = math.cos(math.pi * step / steps)
        return self.peak * min(1, (step + 1) / self.warm_up) * (self.middle + self.swing * cosine)


def figures_of_last(recent: Sequence[Mapping[str, float]]) -> str:
    """The last step's, to four places."""
    return "  ".join(f"{name} {value:.4f}" for name, value in recent[-1].items())


@frozen
class Log:
    """What is printed of the steps.

    Attributes:
        every: after so many steps.
        shown: figures of these steps, one mapping each, in words.
    """

    every: int = 50
    shown: Callable[[Sequence[Mapping[str, float]]], str] = figures_of_last


@frozen(eq=False)
class Loss:
    """What a batch costs, and figures for the log."""

    total: Tensor
    figures: Terms


def summed(terms: Terms) -> Loss:
    """The sum of terms, each of which is shown."""
    return Loss(torch.stack(list(terms.values())).sum(), terms)


def adamw(groups: Iterable[Parameter] | Iterable[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser of all embedded models."""
    return torch.optim.AdamW(groups, betas=BETAS, weight_decay=DECAY)


def train(
    parameters: Sequence[Parameter],
    batches: Iterable[Batch],
    loss: Callable[[float, Batch], Loss],
    steps: int,
    *,
    optimiser: torch.optim.Optimizer | None = None,
    schedule: Schedule = Schedule(),
    log: Log = Log(),
) -> None:
    """Train parameters in place, and print progress.

    Args:
        parameters: all of them.
        batches: as many as there are steps, or more.
        loss: (progress from 0 to 1, batch) to what is minimised.
        steps: number of batches.
        optimiser: of `parameters`; AdamW with one decay for all, if none is given.
        schedule: of the learning rate.
        log: what is printed.
    """
    chosen = adamw(parameters) if optimiser is None else optimiser
    start = time.monotonic()
    recent: deque[dict[str, float]] = deque(maxlen=log.every)
    for step, batch in zip(range(steps), batches, strict=False):
        for group in chosen.param_groups:
            group["lr"] = schedule.rate(step, steps)
        found = loss(step / steps, batch)
        chosen.zero_grad()
        found.total.backward()
        torch.nn.utils.clip_grad_norm_(parameters, schedule.largest)
        chosen.step()
        recent.append({name: value.item() for name, value in found.figures.items()})
        if (step + 1) % log.every == 0:
            seconds = time.monotonic() - start
            print(f"step {step + 1}  {seconds:.0f} s  {log.shown(list(recent))}", flush=True)


def guide_at(progress: float) -> float:
    """Weight of what leads the way at first, and hardly counts in the end."""
    return max(0.1, 1 - 2 * progress)


def save_pretrained(model: Any, directory: Path, roles: Mapping[str, Heads]) -> None:
    """Write a model of transformers with its roles."""
    model.save_pretrained(directory)
    (directory / "model.safetensors").chmod(0o644)
    (directory / "generation_config.json").unlink(missing_ok=True)
    lines = ["# Where each role sits: [layer, head]. A role says where a claim looks.", "[roles]"]
    lines += [f'"{role}" = {[list(head) for head in heads]}' for role, heads in roles.items()]
    (directory / "roles.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
