"""What the command line asks to look at, and which observation answers it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from attrs import frozen

from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.observations.attention import attention
from scrub.observations.attribution import PARTS, attribution
from scrub.observations.components import components
from scrub.observations.congruence import congruence
from scrub.observations.copying import copying_of_rows, copying_of_words
from scrub.observations.lens import logit_lens
from scrub.observations.next_scores import next_scores
from scrub.observations.observation import Observation
from scrub.observations.ov import ov_circuits
from scrub.observations.overview import overview
from scrub.observations.subject import Subject
from scrub.observations.tokens import Text, all_rows, repeated_tokens, text_tokens, token_scores
from scrub.runner.options import Options
from scrub.runner.progress import SILENT, Progress

NO_PROMPTS = "at= (--at) says where in prompts, and a model has none. Give a behaviour."
NO_WORDS = (
    "Congruence compares neurons with a direction of the logits. Name a word, or two for a "
    'difference: words=["short", "tall"] (--direction short,tall).'
)


@frozen(eq=False)
class Asked:
    """A question about a model.

    Attributes:
        subject: a behaviour of the model, where one is named.
        of, at, to, direction, by: as the observations take them; None: their defaults.
        text: None: random tokens.
        progress: of the rows of tokens; a behaviour has its own.
    """

    model: Model
    subject: Subject | None
    options: Options
    of: str | None = None
    at: Any = None
    to: Any = None
    direction: str | None = None
    by: str | None = None
    text: Text | None = None
    progress: Progress = SILENT

    @property
    def behaviour(self) -> Subject:
        """The behaviour, which what is asked is about."""
        assert self.subject is not None, "the command line asks for one"
        return self.subject

    @property
    def place(self) -> Any:
        """The one position that is named; None: none is.

        Raises:
            UserError: several are.
        """
        if self.at is not None and len(self.at) > 1:
            listed = ", ".join(map(str, self.at))
            raise UserError(f"at= (--at) is {listed}, and this looks at one position. Give one.")
        return None if self.at is None else self.at[0]

    @property
    def labels(self) -> Any:
        return (
            None
            if self.direction is None
            else [label.strip() for label in self.direction.split(",")]
        )


def look(asked: Asked, what: str | None) -> Observation:
    """The observation that answers a question; without `what` all heads at one glance."""
    return LOOKS[what](asked)


def _heads(asked: Asked) -> Observation:
    given = None if asked.text is None else text_tokens(asked.model, asked.text)
    memory, seed = asked.options.max_memory, asked.options.seed
    return overview(asked.model, memory, seed, asked.subject, given, asked.progress)


def _attention(asked: Asked) -> Observation:
    return attention(asked.behaviour, asked.of, asked.place, asked.to)


def _copying(asked: Asked) -> Observation:
    if asked.subject is not None:
        return copying_of_rows(asked.subject, asked.of, asked.at)
    if asked.at is not None:
        raise UserError(NO_PROMPTS)
    return copying_of_words(asked.model, asked.of, seed=asked.options.seed)


def _next(asked: Asked) -> Observation:
    kinds = import_module("scrub.datasets.sequences").KINDS
    return next_scores(asked.model, kinds, asked.of)


def _tokens(asked: Asked) -> Observation:
    if asked.text is None:
        data = repeated_tokens(asked.model, asked.options.seed)
    else:
        data = text_tokens(asked.model, asked.text)
    values = all_rows(data, asked.model, asked.options.max_memory, asked.progress)
    return token_scores(values, asked.model, asked.of)


def _lens(asked: Asked) -> Observation:
    return logit_lens(asked.behaviour, asked.at, asked.labels)


def _attribution(asked: Asked) -> Observation:
    return attribution(asked.behaviour, asked.by or PARTS, asked.place, asked.labels)


def _ov(asked: Asked) -> Observation:
    return ov_circuits(asked.model, asked.of)


def _components(asked: Asked) -> Observation:
    return components(asked.behaviour, asked.of, asked.at, asked.by)


def _congruence(asked: Asked) -> Observation:
    if asked.labels is None:
        raise UserError(NO_WORDS)
    return congruence(asked.model, asked.labels, asked.of)


LOOKS = {
    None: _heads,
    "attention": _attention,
    "copying": _copying,
    "next": _next,
    "tokens": _tokens,
    "lens": _lens,
    "attribution": _attribution,
    "ov": _ov,
    "components": _components,
    "congruence": _congruence,
}
"""What answers each `--what`."""
