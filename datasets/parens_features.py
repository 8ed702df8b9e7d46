"""What is true of a string of parentheses: fractions from a position on, the two tests, evidence.

Positions are token positions: START stands at 0, the parentheses from 1, END behind the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from attrs import frozen

START, PAD, END, OPEN, CLOSE = range(5)
WIDTH = 42
LONGEST = WIDTH - 2

EVIDENCE = ("PAD", "END after (", "END after )", "p > 1/2", "p <= 1/2")
"""The classes of h[i] by number. The second and the fourth are evidence of imbalance."""


@frozen(eq=False)
class Parens:
    """Tokenised strings, and what can be counted in them exactly.

    Attributes:
        tokens: int64 [rows, 42].
        lengths: int64 [rows], tokens that are not PAD.
    """

    tokens: np.ndarray
    lengths: np.ndarray

    @staticmethod
    def of(strings: Sequence[str]) -> Parens:
        """`START s END PAD …` of every string over "()" of 1 to 40 characters."""
        lengths = np.array([len(text) + 2 for text in strings], dtype=np.int64)
        column = np.arange(WIDTH)
        inside = (column > 0) & (column < lengths[:, None] - 1)
        characters = np.frombuffer("".join(strings).encode("ascii"), dtype=np.uint8)
        tokens = np.full((len(strings), WIDTH), PAD, dtype=np.int64)
        tokens[:, 0] = START
        tokens[inside] = np.where(characters == ord("("), OPEN, CLOSE)
        tokens[np.arange(len(strings)), lengths - 1] = END
        return Parens(tokens, lengths)

    @cached_property
    def is_open(self) -> np.ndarray:
        """Where `(` stands: bool [rows, 42]."""
        return self.tokens == OPEN

    @cached_property
    def is_paren(self) -> np.ndarray:
        """Where either stands: bool [rows, 42]."""
        return self.is_open | (self.tokens == CLOSE)

    @cached_property
    def opens_from(self) -> np.ndarray:
        """Number of `(` at each position or after it: int16 [rows, 42]."""
        return _sums_from(self.is_open)

    @cached_property
    def parens_from(self) -> np.ndarray:
        """Number of parentheses at each position or after it: int16 [rows, 42]."""
        return _sums_from(self.is_paren)

    @cached_property
    def p(self) -> np.ndarray:
        """Fraction of `(` from each position on: float64 [rows, 42], NaN where there is none."""
        with np.errstate(invalid="ignore"):
            return self.opens_from / self.parens_from.astype(np.float64)

    @cached_property
    def over_half(self) -> np.ndarray:
        """Whether p[i] > 1/2, in whole numbers: bool [rows, 42], False where undefined."""
        return 2 * self.opens_from > self.parens_from

    @cached_property
    def count(self) -> np.ndarray:
        """Whether as many are opened as closed: bool [rows]."""
        return 2 * self.opens_from[:, 0] == self.parens_from[:, 0]

    @cached_property
    def horizon(self) -> np.ndarray:
        """Whether, read from the right, never more are opened than closed: bool [rows]."""
        return np.logical_not(self.over_half.any(axis=1))

    @cached_property
    def balanced(self) -> np.ndarray:
        """bool [rows]."""
        return self.count & self.horizon

    @cached_property
    def starts_open(self) -> np.ndarray:
        """bool [rows]."""
        return self.is_open[:, 1]

    @cached_property
    def p_if_open(self) -> np.ndarray:
        """p[1] where the string starts with `(`; -1, one class, for all the others."""
        return np.where(self.starts_open, self.p[:, 1], -1.0)

    @cached_property
    def kind(self) -> np.ndarray:
        """Which of the two tests fail: object [rows]."""
        words = np.array(["both fail", "horizon fails", "count fails", "balanced"], dtype=object)
        return words[self.count + 2 * self.horizon]

    def evidence(self, over_half: np.ndarray) -> np.ndarray:
        """h: the class of every position, numbers into `EVIDENCE`, int8 [rows, 42].

        Args:
            over_half: where p (or what is taken for it) is above 1/2, bool [rows, 42].
        """
        end = self.lengths[:, None] - 1
        last_open = self.is_open[np.arange(len(self.tokens)), self.lengths - 2][:, None]
        position = np.arange(WIDTH)
        return np.select(
            [position > end, (position == end) & last_open, position == end, over_half],
            [np.int8(0), np.int8(1), np.int8(2), np.int8(3)],
            np.int8(4),
        )


def no_imbalance(evidence: np.ndarray) -> np.ndarray:
    """h_all: whether no position has evidence of imbalance, bool [rows]."""
    return ~((evidence == 1) | (evidence == 3)).any(axis=1)


def _sums_from(here: np.ndarray) -> np.ndarray:
    return np.cumsum(here[:, ::-1], axis=1, dtype=np.int16)[:, ::-1]
