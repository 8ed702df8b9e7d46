"""Strings of parentheses, as a classifier of balanced ones reads them: `START s END PAD …`.

The data of the paren balancer on which causal scrubbing was first shown (Chan et al. 2022). Logits
at position 0 say whether the string is balanced (1) or not (0).
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from scrub.data.dataset import Dataset, Rows
from scrub.data.task import Task
from scrub.errors import UserError

from .parens_features import EVIDENCE, LONGEST, WIDTH, Parens, no_imbalance
from .parens_head import Head, above_half, adjusted, as_it_comes

if TYPE_CHECKING:
    from scrub.model.registry import Model

__all__ = ["EVIDENCE", "TASK", "WIDTH", "dataset", "phi", "strings"]

VARIABLE = "SCRUB_PARENS_STRINGS"
"""Environment variable that names a file of strings, one a line (`.gz`: compressed)."""

FILE = "strings.txt.gz"
"""The strings that a model's directory may bring."""

GENERATED = 100_000

_STRING = re.compile(rf"[()]{{1,{LONGEST}}}")


def strings(model: Model) -> Dataset:
    """The strings that a model is tested on, with the features of `dataset`.

    They come from the file that SCRUB_PARENS_STRINGS names, or else from `strings.txt.gz` in the
    model's directory, or else are generated (seed 0). The dataset's name says from where, with the
    sha256 of the file (of the generated lines).

    Raises:
        UserError: there is no such file, a line is no string of 1 to 40 parentheses, or the model
            is no paren balancer.
    """
    name, found = _source(model)
    return dataset(found, model, name=name)


def dataset(found: Sequence[str], model: Model, *, name: str = "strings") -> Dataset:
    """These strings as a dataset. Positions are token positions: START is 0, END the last token.

    p[i] is the fraction of `(` among the parentheses at position i and after it. Columns:

    - `count`: p[0] is 1/2. `horizon`: p[i] <= 1/2 wherever there is one. `balanced`: both.
      `kind`: "balanced", "count fails", "horizon fails" or "both fail".
    - `p`: p[0]. `starts_open`. `count_open`: count and starts_open. `p_if_open`: p[0] if the string
      starts with `(`, else -1. `length`: number of tokens that are not PAD.
    - `h_0` … `h_41`: what a position says, a number into `EVIDENCE`: PAD, END after `(`, END after
      `)`, p[i] > 1/2, p[i] <= 1/2. `h_all`: no position has evidence of imbalance (the second or
      the fourth).
    - `h_adjusted_0` …, `h_adjusted_all`: the same with p adjusted to how much the model's head 0.0
      attends to each position, in float64; what is within 1e-9 of 1/2 is 1/2.
    - `h_alt_0` …, `h_alt_all`: weights normalised to sum to 1, everything in float32, and compared
      as it comes. `h_alt_sums_0` …, `h_alt_sums_all`: only the sums in float32, weights before that
      in float64.

    Positions: `start`, `end`. Label: `balanced`, 0 or 1.

    Args:
        found: strings over "()", 1 to 40 long; a string may come twice.
        model: whose weights adjust p.
    """
    parens, head = Parens.of(found), Head.of(model)
    single, rounded = Head.of(model, np.float32).normalised, head.normalised.astype(np.float32)
    over_half = {
        "h": parens.over_half,
        "h_adjusted": above_half(adjusted(parens, head)),
        "h_alt": as_it_comes(parens, single) > 0.5,
        "h_alt_sums": as_it_comes(parens, rounded) > 0.5,
    }
    evidence: dict[str, np.ndarray] = {}
    for stem, over in over_half.items():
        classes = parens.evidence(over)
        evidence |= {f"{stem}_{i}": classes[:, i] for i in range(WIDTH)}
        evidence[f"{stem}_all"] = no_imbalance(classes)
    return Dataset(
        name,
        inputs={"tokens": parens.tokens},
        lengths=parens.lengths,
        columns={
            "balanced": parens.balanced,
            "kind": parens.kind,
            "count": parens.count,
            "horizon": parens.horizon,
            "p": parens.p[:, 0],
            "starts_open": parens.starts_open,
            "count_open": parens.count & parens.starts_open,
            "p_if_open": parens.p_if_open,
            "length": parens.lengths,
            **evidence,
        },
        positions={"start": np.zeros_like(parens.lengths), "end": parens.lengths - 1},
        labels={"balanced": parens.balanced.astype(np.int64)},
        pieces=tuple(("START ", *text, " END") for text in found),
    )


def phi(model: Model) -> Callable[[Rows], np.ndarray]:
    """What head 0.0 would write if it wrote the fraction p of `(` in the whole string, and no more.

    Returns:
        Rows of `dataset` → (2p − 1) v, float64 [rows, d_model], with v as in `Head.direction`.
    """
    direction = Head.of(model).direction

    def estimate(rows: Rows) -> np.ndarray:
        return (2 * rows.feature("p") - 1)[:, None] * direction

    return estimate


def _source(model: Model) -> tuple[str, list[str]]:
    """The strings, and where they come from."""
    named = os.environ.get(VARIABLE)
    brought = model.directory / FILE if model.directory else None
    if named or (brought and brought.is_file()):
        path = Path(named) if named else brought
        assert path is not None
        raw, found = _read(path)
        source = f"strings of {path}"
    else:
        from .parens_strings import generated

        found = generated(GENERATED, seed=0)
        raw, source = "".join(f"{text}\n" for text in found).encode(), "generated strings, seed 0"
    return f"{len(found):,} {source}, sha256 {hashlib.sha256(raw).hexdigest()[:16]}", found


def _read(path: Path) -> tuple[bytes, list[str]]:
    """A file's bytes, and the strings in it.

    Raises:
        UserError: see `strings`.
    """
    try:
        raw = path.expanduser().read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("ascii")
    except (OSError, EOFError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as strings of parentheses: {error}. Give a file with one a "
            f"line in {VARIABLE}, or leave it unset."
        ) from error
    found = text.split()
    wrong = next((i for i, line in enumerate(found) if not _STRING.fullmatch(line)), None)
    if wrong is not None or not found:
        what = "holds no strings" if wrong is None else f'holds "{found[wrong][:50]}"'
        raise UserError(f'{path} {what}. Write one string of 1 to {LONGEST} "(" and ")" a line.')
    return raw, found


def _first(n: int) -> Callable[[Model], Dataset]:
    """The first of the strings that a model is tested on."""

    def made(model: Model) -> Dataset:
        name, found = _source(model)
        return dataset(found[:n], model, name=f"the first {n:,} of {name}")

    return made


TASK = Task(
    name="parens",
    says="Balanced parentheses: is every ( closed, and none before?",
    example="(()()) → balanced; ())( → not",
    prompts=_first,
    features={
        "balanced": "whether the string is: count and horizon",
        "kind": "balanced, count fails, horizon fails or both fail",
        "count": "as many ( as )",
        "horizon": "from no position on more are opened than closed",
        "p": "the fraction of ( among the parentheses",
        "starts_open": "whether the first is (",
        "count_open": "count and starts_open",
        "p_if_open": "p if the first is (, else −1",
        "length": "tokens that are not PAD",
        "h_0 … h_41": "what a position says, a number into parens.EVIDENCE",
        "h_all": "no position has evidence of imbalance",
        "h_adjusted_0 … h_adjusted_41": "the same with p as head 0.0 weighs it",
        "h_adjusted_all": "of these, as h_all",
        "h_alt_0 … h_alt_41": "the same with weights of sum 1, in float32",
        "h_alt_all": "of these, as h_all",
        "h_alt_sums_0 … h_alt_sums_41": "the same with the sums alone in float32",
        "h_alt_sums_all": "of these, as h_all",
    },
    positions={"start": "START", "end": "END, after the last parenthesis"},
    labels={"balanced": "1 for balanced, 0 for not, of the two logits at START"},
    metrics={'cross_entropy("balanced")': "the classifier's loss"},
    answers={"balanced": "logit 1", "not": "logit 0"},
    models={"parens": "compares the numbers in 1.0 and 2.0, looks for a horizon by 2.1"},
    hypotheses=("parens.py", "parens_alt.py", "parens_more.py"),
)
