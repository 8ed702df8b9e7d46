"""All heads of a model at one glance: what they attend to, copy, and add to the logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from scrub.data.dataset import Dataset
from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.observations.attention import attention
from scrub.observations.attribution import attribution
from scrub.observations.copying import copying_of_words
from scrub.observations.heads import every_head, head_name, role_of
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Grid
from scrub.observations.subject import Subject
from scrub.observations.tokens import SCORES, all_rows, repeated_tokens, token_scores

if TYPE_CHECKING:
    import pandas as pd

COPIED = ("copying", "negative")


@frozen(eq=False)
class _Gathered:
    """What was seen, and why the rest does not apply."""

    seen: dict[str, pd.DataFrame] = field(factory=dict)
    notes: list[str] = field(factory=list)

    def add(self, name: str, look: Callable[[], Observation]) -> None:
        try:
            found = look()
        except UserError as error:
            self.notes.extend(f"{name}: {problem}" for problem in error.problems)
            return
        self.seen[name] = found.frame.set_index("component")
        self.notes.extend(note for note in found.notes if note not in self.notes)


def overview(
    model: Model,
    memory: int,
    seed: int = 0,
    subject: Subject | None = None,
    text: Dataset | None = None,
) -> Observation:
    """Copy scores and scores by tokens of every head; of a behaviour, also attention and logits.

    What does not apply to the model is left out, and the notes say why.

    Args:
        memory: bytes of values that may be kept.
        text: on which the scores by tokens are taken; default: repeated random tokens.

    Returns:
        One row a head, the largest score first: component, layer, head, role; copying, negative;
        previous_token, duplicate_token, induction; of a behaviour also `adds` and `to COLUMN`.
    """
    gathered = _Gathered()
    gathered.add("copying", partial(copying_of_words, model, seed=seed))
    gathered.add("tokens", partial(_tokens, model, memory, seed, text))
    rows: list[dict[str, Any]] = [
        {"component": head_name(head), "layer": head[0], "head": head[1],
         "role": role_of(head, model)}
        for head in every_head(model)
    ]  # fmt: skip
    frame = frame_of(rows)
    scores = [
        name
        for kind, columns in (("copying", COPIED), ("tokens", SCORES))
        for name in (columns if kind in gathered.seen else ())
    ]
    for name in scores:
        kind = "copying" if name in COPIED else "tokens"
        frame[name] = gathered.seen[kind][name].reindex(frame["component"]).to_numpy()
    tables = [_sorted(frame, frame[scores].max(axis=1) if scores else None)]
    title = f"Heads of {model.name}"
    if subject is not None:
        title += f". {subject.about}"
        extra = _of_behaviour(frame["component"], subject, gathered)
        frame = frame.join(extra)
        shown = frame[["component", "role", *extra.columns]]
        tables.append(_sorted(shown, extra["adds"].abs() if "adds" in extra else None))
    grid = Grid("component", "", tuple(scores), "share or attention")
    return Observation(title, frame, tuple(gathered.notes), grid, tables=tuple(tables))


def _tokens(model: Model, memory: int, seed: int, text: Dataset | None) -> Observation:
    data = repeated_tokens(model, seed) if text is None else text
    found = token_scores(all_rows(data, model, memory), model)
    return Observation(
        found.title, found.frame, (*found.notes, f"by tokens: on {data.name}"), found.picture
    )


def _of_behaviour(components: pd.Series, subject: Subject, gathered: _Gathered) -> pd.DataFrame:
    """What heads add to the logits and where they attend, on a behaviour's prompts."""
    import pandas as pd

    gathered.add("direct attribution", partial(attribution, subject))
    found: dict[str, Any] = {}
    if "direct attribution" in gathered.seen:
        found["adds"] = gathered.seen["direct attribution"]["adds"].reindex(components).to_numpy()
    gathered.add("attention", partial(attention, subject))
    if "attention" in gathered.seen:
        seen = gathered.seen["attention"]
        for column in dict.fromkeys(seen["to"]):
            there = seen.loc[seen["to"] == column, "attention"]
            found[f"to {column}"] = there.reindex(components).to_numpy()
    return pd.DataFrame(found)


def _sorted(frame: pd.DataFrame, size: Any) -> pd.DataFrame:
    """A frame with the largest first; as it is where there is nothing to go by."""
    if size is None:
        return frame
    return frame.loc[size.sort_values(ascending=False, kind="stable").index]
