"""Looking at a model from Python: `from scrub import observe`.

Each function gives a frozen `Observation` with a frame, a plot, and notes of what its figures rest
on. Those of a model take what `MODEL` may be; those of a behaviour one made by `@behaviour` or
`ioi.behaviour(1_000)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from scrub.api import checked_options, collected_behaviour
from scrub.errors import UserError
from scrub.hypothesis.behaviour import Behaviour
from scrub.model.registry import Model
from scrub.observations import attention as _attention
from scrub.observations import attribution as _attribution
from scrub.observations import components as _components
from scrub.observations import congruence as _congruence
from scrub.observations import copying as _copying
from scrub.observations import lens as _lens
from scrub.observations import next_scores as _next_scores
from scrub.observations import ov as _ov
from scrub.observations import patterns as _patterns
from scrub.observations import scatter as _scatter
from scrub.observations.asked import NO_PROMPTS
from scrub.observations.observation import Observation
from scrub.observations.overview import overview
from scrub.observations.subject import Subject, opened, subject
from scrub.observations.tokens import Text, all_rows, repeated_tokens, text_tokens, token_scores
from scrub.report.notebook_bar import shown_in_notebooks
from scrub.runner.options import Options, OptionsOfModels, RunOptions, shows
from scrub.runner.session import Session

__all__ = [
    "Observation",
    "attention",
    "attribution",
    "components",
    "congruence",
    "copying",
    "heads",
    "logit_lens",
    "next_scores",
    "ov",
    "patterns",
    "scatter",
    "tokens",
]


@shows(RunOptions)
def attention(
    behaviour: Behaviour,
    *,
    of: Any = None,
    at: Any = None,
    to: Any = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """How much each head attends from a position to others, and how much it moves from there.

    Args:
        of: heads: a role, "9.9,9.6", pairs; default: all.
        at: the position that attends; default: that of the behaviour's metric.
        to: positions that are attended to; default: all columns of the data.
        session, options: as in `scrub.run`: model, samples (rows at most), seed, device, dtype, …

    Raises:
        UserError: there is no such head or column, or what is named is no head.
    """
    return _attention.attention(_bound("attention", behaviour, session, options), of, at, to)


@shows(RunOptions)
def attribution(
    behaviour: Behaviour,
    *,
    by: str = _attribution.PARTS,
    at: Any = None,
    direction: Any = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """What each component adds directly to the logits along a direction, at one position.

    Law: what all parts (or layers) add is the logit difference that the model gives. The final
    norm's scale is held at each row's own. See `scrub.observations.attribution.attribution`.

    Args:
        by: "parts", "layers" or "neurons:8".
        at: default: the position of the behaviour's metric.
        direction: a label, or two of which the second counts negative; default: the metric's.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such position, label or layer.
    """
    found = _bound("attribution", behaviour, session, options)
    return _attribution.attribution(found, by, at, direction)


@shows(RunOptions)
def components(
    behaviour: Behaviour,
    *,
    of: Any = None,
    at: Any = None,
    by: str | None = None,
    count: int = _components.COMPONENTS,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """Principal components of what stands somewhere in the model, coloured by a feature.

    Args:
        of: heads or a role, "mlp:2", "stream:2"; default: the last stream.
        at: positions; default: that of the behaviour's metric.
        by: a feature; default: the position, where there are several.
        count: how many components.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such site, position or feature.
    """
    found = _bound("components", behaviour, session, options)
    return _components.components(found, of, at, by, count)


@shows(OptionsOfModels)
def congruence(
    model: Any,
    words: Sequence[str],
    *,
    of: str | None = None,
    session: Session | None = None,
    **options: Unpack[OptionsOfModels],
) -> Observation:
    """The dot products of neurons' output weights and a direction of the unembedding.

    Args:
        model: a model's name, a directory, or a model in memory.
        words: a word, for its logit; or two, for the first's less the second's.
        of: "neurons:8"; default: the neurons of all layers.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such layer, or a word is not one token of the model's.
    """
    chosen = checked_options("observe.congruence", options, session, [])
    return _congruence.congruence(opened(model, session or Session(), chosen), words, of)


@shows(RunOptions)
def copying(
    about: Any,
    *,
    of: Any = None,
    at: Any = None,
    within: int = _copying.WITHIN,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """How often heads' OV circuits write the token that they read, and how often −OV does.

    See `scrub.observations.copying`.

    Args:
        about: a model, of whose vocabulary tokens are tried; or a behaviour, on its prompts.
        of: heads; default: all.
        at: of a behaviour, the columns whose tokens are tried; default: those that hold labels.
        within: a token is copied if it is among so many largest logits.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such head or column, or the model's logits are no tokens.
    """
    if isinstance(about, Behaviour):
        found = _bound("copying", about, session, options)
        return _copying.copying_of_rows(found, of, at, within)
    if at is not None:
        raise UserError(NO_PROMPTS)
    chosen = checked_options("observe.copying", options, session, [])
    model = opened(about, session or Session(), chosen)
    return _copying.copying_of_words(model, of, within, chosen.seed)


@shows(RunOptions)
def heads(
    about: Any,
    *,
    text: str | None = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """All heads at one glance: copying, scores by tokens; of a behaviour, attention and logits.

    Args:
        about: a model or a behaviour.
        text: on which the scores by tokens are taken; default: repeated random tokens.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such model, or its tokenizer does not cover the text.
    """
    session = session or Session()
    found, model, chosen = _either("heads", about, session, options)
    given = None if text is None else text_tokens(model, Text(text))
    return overview(model, chosen.max_memory, chosen.seed, found, given)


@shows(RunOptions)
def logit_lens(
    behaviour: Behaviour,
    *,
    at: Any = None,
    direction: Any = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """What the residual stream after each layer would say, were it the last, by position.

    See `scrub.observations.lens.logit_lens`, also for what becomes of the final norm.

    Args:
        at: positions; default: all columns of the data.
        direction: a label, or two of which the second counts negative; default: the metric's.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such position or label.
    """
    return _lens.logit_lens(_bound("logit_lens", behaviour, session, options), at, direction)


@shows(OptionsOfModels)
def next_scores(
    model: Any,
    kinds: Any,
    *,
    of: Any = None,
    within: int = _next_scores.WITHIN,
    session: Session | None = None,
    **options: Unpack[OptionsOfModels],
) -> Observation:
    """How often heads' OV circuits write the word that comes after the one that they read.

    See `scrub.observations.next_scores`.

    Args:
        model: a model's name, a directory, or a model in memory.
        kinds: name → words in their order, such as `sequences.KINDS` of `scrub.datasets`.
        of: heads; default: all.
        within: a word is written if it is among so many largest logits.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such head, a kind has too few words that are one token, or the
            model's logits are no tokens.
    """
    chosen = checked_options("observe.next_scores", options, session, [])
    found = opened(model, session or Session(), chosen)
    return _next_scores.next_scores(found, kinds, of, within)


@shows(OptionsOfModels)
def ov(
    model: Any,
    *,
    of: Any = None,
    directions: int = _ov.DIRECTIONS,
    tokens: int = _ov.TOKENS,
    session: Session | None = None,
    **options: Unpack[OptionsOfModels],
) -> Observation:
    """The largest singular values of heads' OV circuits, with the tokens at both ends of each.

    See `scrub.observations.ov.ov_circuits`.

    Args:
        model: a model's name, a directory, or a model in memory.
        of: heads; default: all.
        directions: of each head, the largest first.
        tokens: at each end of a direction.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such head, or the model's logits are no tokens.
    """
    chosen = checked_options("observe.ov", options, session, [])
    return _ov.ov_circuits(opened(model, session or Session(), chosen), of, directions, tokens)


@shows(RunOptions)
def patterns(
    behaviour: Behaviour,
    *,
    of: Any = None,
    row: int = 0,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """How much each token of one row attends to each; `.view()` shows it by CircuitsVis.

    Args:
        of: heads: a role, "9.9,9.6", pairs; default: all.
        row: of the data, from 0.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such head or row.
    """
    return _patterns.patterns(_bound("patterns", behaviour, session, options), of, row)


@shows(RunOptions)
def scatter(
    behaviour: Behaviour,
    of: Any,
    *,
    to: Any = None,
    at: Any = None,
    direction: Any = None,
    by: str | None = None,
    session: Session | None = None,
    **options: Unpack[RunOptions],
) -> Observation:
    """How one head's attention to a position goes with what it writes, row by row.

    Args:
        of: one head: "9.9".
        to: positions that are attended to; default: all columns of the data.
        at: the position that attends; default: that of the behaviour's metric.
        direction: a label or two; default: the logit of the token that is attended to.
        by: a feature that colours the points; default: to which position.
        session, options: as in `scrub.run`.

    Raises:
        UserError: it is not one head; or there is no such position, label or feature.
    """
    found = _bound("scatter", behaviour, session, options)
    return _scatter.scatter(found, of, to, at, direction, by)


@shows(OptionsOfModels)
def tokens(
    model: Any,
    *,
    text: str | None = None,
    of: Any = None,
    session: Session | None = None,
    **options: Unpack[OptionsOfModels],
) -> Observation:
    """How much heads attend to the previous token, to duplicates, and after duplicates.

    See `scrub.observations.tokens`.

    Args:
        model: a model's name, a directory, or a model in memory.
        text: a text; default: random tokens that come twice.
        of: heads; default: all.
        session, options: as in `scrub.run`.

    Raises:
        UserError: there is no such head, or the model's tokenizer does not cover the text.
    """
    chosen = checked_options("observe.tokens", options, session, [])
    found = opened(model, session or Session(), chosen)
    data = repeated_tokens(found, chosen.seed) if text is None else text_tokens(found, Text(text))
    return token_scores(all_rows(data, found, chosen.max_memory), found, of)


def _bound(called: str, behaviour: Any, session: Session | None, options: RunOptions) -> Subject:
    """A behaviour on its model and data, unless it or an option makes no sense."""
    wrong = []
    if not isinstance(behaviour, Behaviour):
        wrong.append(
            f"scrub.observe.{called} takes a behaviour, not a {type(behaviour).__name__}. "
            "Decorate the function with @behaviour(data=…, metric=…), or make one: "
            "ioi.behaviour(1_000)."
        )
    chosen = checked_options(f"observe.{called}", options, session, wrong)
    session = session or Session()
    return subject(
        collected_behaviour(behaviour), session, chosen, shown_in_notebooks(session.progress)
    )


def _either(
    called: str, about: Any, session: Session, options: RunOptions
) -> tuple[Subject | None, Model, Options]:
    """A behaviour and its model, or a model alone."""
    chosen = checked_options(f"observe.{called}", options, session, [])
    if isinstance(about, Behaviour):
        bar = shown_in_notebooks(session.progress)
        found = subject(collected_behaviour(about), session, chosen, bar)
        return found, found.model, chosen
    return None, opened(about, session, chosen), chosen
