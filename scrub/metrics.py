"""Metrics: from the root's value to one number per reference.

Every metric is a function of the root's value and of the reference's columns. Whether more is
better is part of it, for reports; loss recovered does not depend on the sign.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from scrub.data.dataset import Rows
from scrub.errors import UserError, in_line, in_words
from scrub.printing import in_brief, printed

OWN = "own"
DISTANCE = "distance"
Function = Callable[..., Any]
"""(value [samples, …], references) → [samples]. Axes of length 1 for positions and cells are
dropped: logits at one position come as [samples, vocabulary]. A metric that compares gets the
original's value as a third argument."""


@frozen(repr=False)
class Metric:
    """A number per reference.

    Attributes:
        name: what reports call it.
        function: see `Function`.
        higher_is_better: None where the user did not say.
        kind: the name of the function here that made it, or "own".
        labels: label columns that it reads, checked before anything runs.
        positions: position columns of the reference that it reads, likewise.
        of_labels: the same from nothing but the logits of those labels, [samples, labels], where
            that is enough; None where the metric needs them all.
        compares: whether the function gets the original's value, too.
        sets: the labels again, by the set of tokens that they are of, for a metric of sets.
    """

    name: str
    function: Function
    higher_is_better: bool | None
    kind: str
    labels: tuple[str, ...] = ()
    of_labels: Callable[[Any], Any] | None = None
    compares: bool = False
    positions: tuple[str, ...] = ()
    sets: tuple[tuple[str, ...], ...] = ()

    @property
    def recomputable(self) -> bool:
        """Whether a run record says enough to compute it again without the user's file."""
        return self.kind != OWN

    def __repr__(self) -> str:
        return in_brief("Metric", repr(self.name))


def logit_diff(correct: str, wrong: str) -> Metric:
    """Logit of the `correct` label minus that of the `wrong` one; higher is better."""

    def function(logits: Any, references: Rows) -> Any:
        return _of(logits, references, correct) - _of(logits, references, wrong)

    def of_labels(logits: Any) -> Any:
        return logits[:, 0] - logits[:, 1]

    name = f"logit({correct}) − logit({wrong})"
    return Metric(name, function, True, "logit_diff", (correct, wrong), of_labels)


def logit(label: str) -> Metric:
    """Logit of the label; higher is better."""

    def function(logits: Any, references: Rows) -> Any:
        return _of(logits, references, label)

    def of_labels(logits: Any) -> Any:
        return logits[:, 0]

    return Metric(f"logit({label})", function, True, "logit", (label,), of_labels)


def probability(label: str) -> Metric:
    """Probability of the label under the softmax of the logits; higher is better."""

    def function(logits: Any, references: Rows) -> Any:
        return _of(logits.softmax(-1), references, label)

    return Metric(f"p({label})", function, True, "probability", (label,))


def mass(*labels: str) -> Metric:
    """Probability of a set of tokens: those of all these labels; higher is better.

    A token that several labels of a reference have counts once.

    Raises:
        UserError: no label is named, or what is no name.
    """
    if not labels or not all(isinstance(label, str) for label in labels):
        raise UserError(
            'mass(…) takes the names of label columns, one or more, such as mass("y33", "y34").'
        )

    def function(logits: Any, references: Rows) -> Any:
        return _mass(logits.softmax(-1), references, labels)

    return Metric(f"p({' or '.join(labels)})", function, True, "mass", labels)


def probability_difference(
    of: Sequence[str], against: Sequence[str], *, name: str | None = None
) -> Metric:
    """Probability of one set of tokens minus that of another; higher is better.

    P(> YY) − P(<= YY) of Hanna, Liu and Variengien 2023 (arXiv 2305.00586) is one. A set is that of
    the tokens of some label columns, so each row may have its own: a token that several of them
    have counts once, and columns that repeat a token make a row's set smaller. Laws: between −1
    and 1; with the sets exchanged it is the negative; with one label each it is
    `probability_diff`.

    Args:
        of: names of label columns, one or more.
        against: likewise.
        name: what reports call it (default: p(first … last) − p(first … last)).

    Raises:
        UserError: a set is empty or no list of names.
    """
    sets = []
    for given in (of, against):
        one = tuple(given) if isinstance(given, list | tuple) else ()
        if not one or not all(isinstance(label, str) for label in one):
            raise UserError(
                "probability_difference(of, against) takes two lists of names of label columns, "
                f'such as ["y33", "y34"], ["y31", "y32"], not {printed(given)}.'
            )
        sets.append(one)
    first, second = sets

    def function(logits: Any, references: Rows) -> Any:
        probabilities = logits.softmax(-1)
        return _mass(probabilities, references, first) - _mass(probabilities, references, second)

    called = " − ".join(f"p({_listed(labels)})" for labels in sets) if name is None else name
    labels = tuple(dict.fromkeys(first + second))
    kind = "probability_difference"
    return Metric(called, function, True, kind, labels, sets=(first, second))


def rank(label: str) -> Metric:
    """How many tokens have a larger logit than the label: 0 for the answer; lower is better."""

    def function(logits: Any, references: Rows) -> Any:
        return (logits > _of(logits, references, label)[:, None]).sum(-1)

    return Metric(f"rank of {label}", function, False, "rank", (label,))


def attention(*, to: str) -> Metric:
    """Attention that a pattern pays to the position of a column; the mean over several heads.

    The root is a head's pattern at one position. The column is the reference's, as all that a
    metric reads: a pattern's source positions go index to index (docs/semantics.md, Frames). Where
    the root is computed on another input, its index there is meant, whatever stands at it.
    """

    def function(pattern: Any, references: Rows) -> Any:
        import torch

        heads = pattern.reshape(len(pattern), -1, pattern.shape[-1]).mean(1)
        index = torch.tensor(references.data.position(to)[references.index]).to(pattern.device)
        return heads.gather(-1, index[:, None])[:, 0]

    return Metric(f"attention to {to}", function, None, "attention", positions=(to,))


def cross_entropy(label: str) -> Metric:
    """Cross-entropy of the label under the softmax of the logits, in nats; lower is better."""

    def function(logits: Any, references: Rows) -> Any:
        return -_of(logits.log_softmax(-1), references, label)

    return Metric(f"cross-entropy of {label}", function, False, "cross_entropy", (label,))


def probability_diff(correct: str, wrong: str) -> Metric:
    """Probability of the `correct` label minus that of the `wrong` one; higher is better."""

    def function(logits: Any, references: Rows) -> Any:
        probabilities = logits.softmax(-1)
        return _of(probabilities, references, correct) - _of(probabilities, references, wrong)

    return Metric(
        f"p({correct}) − p({wrong})", function, True, "probability_diff", (correct, wrong)
    )


def top_1(label: str) -> Metric:
    """1 where no logit is larger than the `label`'s, else 0; higher is better."""

    def function(logits: Any, references: Rows) -> Any:
        return _of(logits, references, label) >= logits.amax(-1)

    return Metric(f"top-1 is {label}", function, True, "top_1", (label,))


def kl() -> Metric:
    """KL divergence from the original's distribution over tokens, in nats; lower is better."""

    def function(logits: Any, references: Rows, original: Any) -> Any:
        expected = original.log_softmax(-1)
        return (expected.exp() * (expected - logits.log_softmax(-1))).sum(-1)

    return Metric("KL from the original", function, False, "kl", compares=True)


def distance() -> Metric:
    """How far the root's value is from the original's: `|value − original|² / |original|²`.

    In no unit, lower is better: 0 for the original's own value, 1 for zeros. Of any root, of
    several heads or positions all together. Undefined where the original's value is zero.
    """

    def function(value: Any, references: Rows, original: Any) -> Any:
        off, whole = ((v.double() ** 2).flatten(1).sum(1) for v in (value - original, original))
        return (off / whole).where(whole > 0, float("nan"))

    return Metric("distance from the original", function, False, DISTANCE, compares=True)


def custom(function: Function, *, higher_is_better: bool | None = None) -> Metric:
    """A metric of your own: (root's value [samples, …], references) → [samples]."""
    return Metric(getattr(function, "__name__", "metric"), function, higher_is_better, OWN)


def as_metric(metric: Metric | Function) -> Metric:
    """A metric as declared; a plain function is a metric of the user's own."""
    return metric if isinstance(metric, Metric) else custom(metric)


def _of(logits: Any, references: Rows, label: str) -> Any:
    import torch

    index = torch.tensor(references.data.label(label)[references.index]).to(logits.device)
    return logits.gather(-1, index[:, None])[:, 0]


def _mass(probabilities: Any, references: Rows, labels: Sequence[str]) -> Any:
    """Probability of the set of these labels' tokens: [samples, vocabulary] → [samples]."""
    import torch

    columns = [references.data.label(label)[references.index] for label in labels]
    tokens = torch.tensor(np.stack(columns, axis=1)).to(probabilities.device)
    among = torch.zeros_like(probabilities, dtype=torch.bool).scatter(-1, tokens, True)
    return (probabilities * among).sum(-1)


def _listed(labels: Sequence[str]) -> str:
    return " or ".join(labels) if len(labels) < 4 else f"{labels[0]} … {labels[-1]}"


def measure(
    metric: Metric,
    value: Any,
    references: Rows,
    original: Any = None,
    *,
    of_labels: bool = False,
) -> np.ndarray:
    """The metric per sample: value [samples, positions, cells, …] → float64 [samples].

    Args:
        original: the original's value, for a metric that compares.
        of_labels: the value is that of the metric's labels alone, in their order.

    Raises:
        UserError: the user's function fails, or gives something other than one number a sample.
    """
    value = _given(metric, value)
    try:
        if of_labels:
            assert metric.of_labels is not None
            measured = metric.of_labels(value)
        elif metric.compares:
            measured = metric.function(value, references, _given(metric, original))
        else:
            measured = metric.function(value, references)
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # in the user's code sys.exit() is an error like any other
        raise UserError(
            f'Metric "{metric.name}" failed{in_line(error)} on a value of shape '
            f"{list(value.shape)}: {in_words(error)}. "
            "It gets the root's value and the references."
        ) from error
    numbers = _as_array(measured)
    if isinstance(numbers, np.ndarray) and numbers.shape == (len(references),):
        return numbers
    given = numbers if isinstance(numbers, str) else f"an array of shape {list(numbers.shape)}"
    raise UserError(
        f'Metric "{metric.name}" gave {given} for {len(references)} samples. '
        "Give one number a sample."
    )


def _given(metric: Metric, value: Any) -> Any:
    """The value as a metric gets it: without its axes of length 1 for positions and cells.

    A metric of the user's gets a copy: what it writes into it is read by nobody else.
    """
    for axis in (2, 1):
        if value.shape[axis] == 1:
            value = value.squeeze(axis)
    return value if metric.recomputable else value.clone()


def _as_array(measured: Any) -> np.ndarray | str:
    """What a metric gave as float64, whatever holds it and whatever numbers it is of; or its kind.

    Only real numbers become numbers: no text, and not the real part of complex ones. What is masked
    is NaN.
    """
    try:
        if hasattr(measured, "detach"):  # a tensor, which may need a gradient or lie on a device
            measured = measured.detach().cpu()
            measured = (measured if measured.is_complex() else measured.double()).numpy()
        elif np.ma.isMaskedArray(measured):
            measured = np.ma.filled(measured.astype(np.float64), np.nan)
        elif inspect.iscoroutine(measured):
            measured.close()  # or Python warns, in a line of ours, that nobody awaited it
        array = np.asarray(measured)
    except (ValueError, TypeError, RuntimeError) as error:
        return f"what is no array of numbers ({in_words(error)})"
    if array.dtype.kind in "biuf":
        return array.astype(np.float64) if array.shape else "a single number"
    kinds = {"c": "complex numbers", "U": "text", "S": "text", "O": "objects"}
    if not array.shape:
        return "None" if measured is None else f"a {type(measured).__name__}"
    return kinds.get(array.dtype.kind, f"numbers of type {array.dtype}")
