"""All heads of a model at one glance: what they attend to, copy, and add to the logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.observations.attention import attention
from scrub.observations.attribution import attribution
from scrub.observations.copying import (
    WITHIN,
    copying_of_rows,
    copying_of_words,
    label_columns,
)
from scrub.observations.heads import every_head, head_name, role_of
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Grid
from scrub.observations.subject import Subject
from scrub.observations.tokens import SCORES, all_rows, repeated_tokens, token_scores
from scrub.runner.progress import SILENT, Progress

if TYPE_CHECKING:
    import pandas as pd

COPIED, ADDS = ("copying", "negative"), ("adds",)
NAMED = ("component", "layer", "head", "role")
SAID = {
    COPIED: f"copying: share of tokens among the {WITHIN} largest logits of OV; negative: of −OV",
    SCORES: "previous token, duplicate token, induction: attention to the token before, to earlier "
    "copies of a token, to what followed them",
    ADDS: "adds: to the logits directly; the final norm's scale is held at each row's own",
}
"""What columns hold."""
TO = "to COLUMN: attention, a mean over rows"
Rows = dict[str, dict[str, Any]]
"""What was seen of each head, by its name."""


def overview(
    model: Model,
    memory: int,
    seed: int = 0,
    subject: Subject | None = None,
    text: Dataset | None = None,
    progress: Progress = SILENT,
) -> Observation:
    """Copy scores and scores by tokens of every head; of a behaviour, also attention and logits.

    What does not apply to the model is left out, and the notes say why.

    Args:
        memory: bytes of values that may be kept.
        text: on which the scores by tokens are taken; default: repeated random tokens.
        progress: of the rows of tokens; a behaviour has its own.

    Returns:
        One row a head: component, layer, head, role; copying, negative; previous_token,
        duplicate_token, induction; of a behaviour also `adds` and `to COLUMN`.
    """
    rows: Rows = {
        head_name(head): dict(
            zip(NAMED, (head_name(head), *head, role_of(head, model)), strict=True)
        )
        for head in every_head(model)
    }
    looks: dict[tuple[str, ...], Callable[[], Observation]] = {
        COPIED: partial(_copying, model, seed, subject),
        SCORES: partial(_tokens, model, memory, seed, text, progress),
    }
    scores, notes = _gathered(looks, rows)
    tables, by = [_table(rows, scores)], [*scores]
    if subject is not None:
        adds, more = _gathered({ADDS: partial(attribution, subject)}, rows)
        for seen in attention(subject).frame.to_dict("records") if subject.data.positions else ():
            rows[seen["component"]][f"to {seen['to']}"] = seen["attention"]
        to = [f"to {column}" for column in subject.data.positions]
        tables.append(_table(rows, [*adds, *to]))
        by += adds or to
        notes += [*more, *([TO] if to else [])]
    about = model.name if subject is None else subject.about
    grid = Grid("component", "", tuple(scores), "share or attention")
    frame = frame_of(list(rows.values()))
    return Observation("Heads", about, frame, tuple(notes), grid, tuple(by), tuple(tables))


def _gathered(
    looks: dict[tuple[str, ...], Callable[[], Observation]], rows: Rows
) -> tuple[list[str], list[str]]:
    """Add what is seen to the rows: which columns there are, and notes, also of what is not."""
    added: list[str] = []
    notes: list[str] = []
    for columns, look in looks.items():
        try:
            found = look()
        except UserError as error:
            notes += [f"{', '.join(columns)}: {problem}" for problem in error.problems]
            continue
        for seen in found.frame.to_dict("records"):
            if seen["component"] in rows:
                rows[seen["component"]].update({name: seen[name] for name in columns})
        added += columns
        notes.append(f"{SAID[columns]} ({found.title})")
    return added, notes


def _table(rows: Rows, shown: Sequence[str]) -> pd.DataFrame:
    """Some columns of the rows."""
    return frame_of([{name: row[name] for name in (*NAMED, *shown)} for row in rows.values()])


def _copying(model: Model, seed: int, subject: Subject | None) -> Observation:
    """On the behaviour's labels, where columns hold them; else on words of the vocabulary."""
    if subject is not None and label_columns(subject):
        return copying_of_rows(subject)
    return copying_of_words(model, seed=seed)


def _tokens(
    model: Model, memory: int, seed: int, text: Dataset | None, progress: Progress
) -> Observation:
    data = repeated_tokens(model, seed) if text is None else text
    return token_scores(all_rows(data, model, memory, progress), model)
