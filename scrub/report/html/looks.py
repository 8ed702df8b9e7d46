"""Where the heads of a claim look in one sample, token by token, and what the model answers."""

from __future__ import annotations

from attrs import frozen
from markupsafe import Markup

from scrub.data.image_layout import ImageLayout
from scrub.observations.example import Example, Look, Looking
from scrub.observations.heads import head_name
from scrub.report.html.frames import grid_html, grid_of_rows
from scrub.report.html.pictures import figure_part
from scrub.report.html.rendering import render
from scrub.stats.rounding import percent

STRONGEST = 0.75
"""How much of the colour a token has that gets all attention."""
MOST, LEAST = 2, 0.01
"""Tokens that a line names as those that get most attention, each at least so much."""


@frozen
class Token:
    """A token, and how much of the colour it has: its share of the attention.

    Attributes:
        blank: what stands before its text.
    """

    blank: str
    text: str
    heat: float


@frozen
class LookShown:
    """Where a head looks in one run: the run, its tokens, and those that get most."""

    run: str
    tokens: tuple[Token, ...]
    most: str


def looks_part(found: Example, layout: ImageLayout | None, title: str) -> Markup:
    """A sample of a claim: of tokens as text, of images as a figure.

    Args:
        layout: which tokens are an image's; None where the model sees none.
        title: of the figure.
    """
    if layout is not None and found.reference.data.images is not None:
        from scrub.report.example_figure import example_figure

        return figure_part(example_figure(found, layout, title), title, pixels=True)
    heads = [(_called(one), tuple(map(_shown, one.looks))) for one in found.looking]
    return render("looks.html", title=title, heads=heads) + _answers(found)


def _called(looking: Looking) -> str:
    role = f" ({looking.role})" if looking.role else ""
    return f"{head_name(looking.head)}{role} from {looking.at}"


def _shown(look: Look) -> LookShown:
    data, row = look.rows.data, int(look.rows.index[0])
    texts = data.pieces[row] if data.pieces else ()
    shares = [float(share) for share in look.attention]
    tokens = [
        _token(text, share, first=place == 0)
        for place, (text, share) in enumerate(zip(texts, shares, strict=False))
    ]
    order = sorted(range(len(texts)), key=lambda place: -shares[place])[:MOST]
    named = [place for place in order if shares[place] >= LEAST]
    most = ", ".join(f"{tokens[place].text} {shares[place]:.0%}" for place in named)
    return LookShown(look.title, tuple(tokens), most)


def _token(text: str, share: float, *, first: bool) -> Token:
    word = text.lstrip()
    blank = "" if first else text[: len(text) - len(word)]
    return Token(blank, word, round(STRONGEST * share, 2))


def _answers(found: Example) -> Markup:
    """Probabilities of labels, run by run."""
    if found.answers is None:
        return Markup()
    runs = found.answers.runs
    rows = [
        (name, *(percent(round(share, 3)) for share in shares)) for name, shares in runs.items()
    ]
    columns = ("probability", *(f">{label}" for label in found.answers.labels))
    return grid_html(grid_of_rows(columns, rows))
