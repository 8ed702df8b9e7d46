"""The check of a graph against the model that it was made from, on a probe batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from attrs import frozen
from torch import Tensor

from scrub.errors import UserError, in_words
from scrub.model.forward import InputBatch, forward
from scrub.model.graph import Graph

LONGEST = 128
"""Most tokens of a probe row."""


@frozen(eq=False)
class Batch:
    """Random tokens: four rows, of which the last ends before the others.

    Attributes:
        tokens: int64 [rows, width], padded at the right.
        lengths: int64 [rows].
    """

    tokens: Tensor
    lengths: Tensor

    @property
    def real(self) -> Tensor:
        """Which positions hold a token and no pad: bool [rows, width]."""
        at = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return at < self.lengths[:, None]


Original = Callable[[Batch], Tensor]
"""The logits of the model that a graph was made from: [rows, width, vocabulary]."""


def check(
    graph: Graph,
    original: Original,
    *,
    vocabulary: int,
    windows: Iterable[int | None],
    limit: float,
) -> None:
    """Refuse a graph that disagrees with the model that it was made from.

    Args:
        windows: of the layers; the rows are made longer than the longest, within `LONGEST`.
        limit: the largest difference allowed, relative to the largest logit.

    Raises:
        UserError: with the size of the difference; or the model fails, or gives numbers that are
            not finite.
    """
    batch = probe_batch(graph, vocabulary, windows)
    expected = logits_of(lambda: original(batch), batch.real)
    with torch.no_grad():
        compare(plain_logits(graph, batch.tokens, batch.lengths), expected, limit)


def logits_of(original: Callable[[], Tensor], real: Tensor) -> Tensor:
    """The logits of the model itself on a probe batch, [rows, width, vocabulary].

    Args:
        real: which positions hold a token and no pad, bool [rows, width].

    Raises:
        UserError: the model fails, or gives numbers that are not finite.
    """
    try:
        with torch.no_grad():
            logits = original()
    except UserError:
        raise
    except Exception as error:  # whatever a setting or a module that the user has changed raises
        raise UserError(
            f"The model itself fails on a probe batch of tokens: {in_words(error)}. Are its "
            "configuration and its modules as they were made?"
        ) from error
    _check_finite(logits, real)
    return logits


def compare(found: Tensor, expected: Tensor, limit: float) -> None:
    """Refuse logits of a graph that are not those of the model that it was made from.

    Args:
        limit: the largest difference allowed, relative to the largest logit.

    Raises:
        UserError: with the size of the difference.
    """
    off = largest_difference(found, expected)
    if not off <= limit:
        raise UserError(
            f"The graph disagrees with the model it was made from: by {off:.2g} of the "
            f"largest logit on a probe batch, where {limit:.0e} is allowed. "
            "This model has a part that scrub does not know: please report it, unless you changed "
            "its modules or its code yourself."
        )


def probe_batch(graph: Graph, vocabulary: int, windows: Iterable[int | None]) -> Batch:
    """Rows of 16 tokens, or twice the longest window, as far as the model takes so many.

    The pads are so few that each still sees a token: what Hugging Face computes otherwise is NaN.
    """
    spans = [window for window in windows if window is not None]
    width = min(max([16, *(2 * span for span in spans)]), LONGEST, graph.width or LONGEST)
    pads = min([width // 3, *(span - 1 for span in spans)])
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(vocabulary, (4, width), generator=generator).to(graph.device)
    lengths = torch.full((4,), width, device=graph.device)
    lengths[-1] -= pads
    return Batch(tokens, lengths)


def _check_finite(logits: Tensor, real: Tensor) -> None:
    """Refuse a model that gives NaN or infinity itself: then nothing can be compared with it."""
    wrong = ~logits.isfinite().all(-1)
    if not wrong.any():
        return
    where = f"at {int(wrong.sum()):,} of {wrong.numel():,} positions of a probe batch"
    if not (wrong & real).any():
        raise UserError(
            f"The model itself gives NaN or infinity {where}, all of them pads: where its sliding "
            "window holds nothing but pads it has nothing to attend to. Pad no further than the "
            "window, or use a model without one."
        )
    raise UserError(
        f"The model itself gives NaN or infinity {where}, though its weights are finite: its "
        "activations are too large for the precision that it runs in."
    )


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference of some values, relative to the largest that is expected."""
    found, expected = found.double(), expected.double()
    return float((found - expected).abs().max() / expected.abs().max())


def plain_logits(graph: Graph, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Logits of the plain model: tokens [rows, width] → [rows, width, vocabulary].

    Args:
        lengths: of each row, which is padded at the right; None: all are full.
    """
    return plain_values(graph, tokens, lengths, ["logits"])["logits"][:, :, 0]


def plain_values(
    graph: Graph, tokens: Tensor, lengths: Tensor | None, names: Iterable[str]
) -> dict[str, Tensor]:
    """These sites and streams of the plain model, each [rows, positions, heads or 1, …]."""
    rows, width = tokens.shape
    if lengths is None:
        lengths = torch.full((rows,), width, device=tokens.device)
    return forward(graph, InputBatch({"tokens": tokens, "lengths": lengths}, rows, width), names)
