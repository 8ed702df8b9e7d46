"""What observations refuse, from Python: each in one sentence, with the nearest valid choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scrub import Session, behaviour, mlp, observe, output
from scrub.datasets import greater_than, ioi
from scrub.errors import UserError
from scrub.metrics import kl
from scrub.model.arithmetic import graph, node, source
from scrub.model.registry import embedded_names
from scrub.observations.observation import Observation

YEARS = greater_than.behaviour(3, model="greater-planted")
IOI = ioi.behaviour(30, model="ioi-planted")
SESSION = Session()
SUMS = graph(source("x"), node("y", lambda a: 2 * a, a="x"))
PARENS_HEADS = 'model "parens": its 2 logits are no tokens, of which it reads 5.'
COLUMNS = 'The nearest is "end"; there are: start, io, s1, s1+1, s2, end.'
DATA = 'Dataset "30 ioi prompts, mixed order, seed 0"'


@behaviour(data=ioi.prompts(30), metric=kl(), model="ioi-planted")
def divergence(model: Any) -> Any:
    return output(at="end")


def two_places(value: Any, references: Any) -> Any:
    return value[:, :, 0, 0].mean(-1)


@behaviour(data=ioi.prompts(30), metric=two_places, model="ioi-planted")
def everywhere(model: Any) -> Any:
    return output(at=["io", "s1"])


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no position": (
        lambda: observe.logit_lens(IOI, at=[], session=SESSION),
        "No position is named. Give a column or an index, or leave it out.",
    ),
    "a pattern of an MLP": (
        lambda: observe.attention(IOI, of=mlp(2), session=SESSION),
        "MLP 2: only attention heads have attention patterns. Give heads, such as 9.9,9.6, or a "
        "role.",
    ),
    "an OV circuit of MLPs": (
        lambda: observe.ov("ioi-planted", of="mlps", session=SESSION),
        "mlps: only attention heads have OV circuits. Give heads, such as 9.9,9.6, or a role.",
    ),
    "a head that is not there": (
        lambda: observe.attention(IOI, of=[(3, 9)], session=SESSION),
        'Model "ioi-planted" has no head 3.9: it has heads 0.0 to 3.3. The nearest is 3.3.',
    ),
    "a role that is not there": (
        lambda: observe.copying("ioi-planted", of="name movers", session=SESSION),
        'Model "ioi-planted" has no heads "name movers". The nearest is "name mover"; there are: '
        "duplicate token, S-inhibition, name mover, 0.0. Give a role, or heads such as 9.9,9.6.",
    ),
    "no head": (
        lambda: observe.attention(IOI, of=[], session=SESSION),
        "[] names no head. Give heads, such as [(1, 0)], or a role.",
    ),
    "a column that is not there": (
        lambda: observe.attention(IOI, at="ent", session=SESSION),
        f'{DATA} has no position column "ent". {COLUMNS}',
    ),
    "a column of sources that is not there": (
        lambda: observe.attention(IOI, to=["io", "edn"], session=SESSION),
        f'{DATA} has no position column "edn". {COLUMNS}',
    ),
    "an index that no row has": (
        lambda: observe.attribution(IOI, at=99, session=SESSION),
        f"Position 99 is outside dataset {DATA[8:]}: its rows have positions 0 to 22.",
    ),
    "a label that is not there": (
        lambda: observe.logit_lens(IOI, direction=("io", "t"), session=SESSION),
        f'{DATA} has no label "t". There are: io, s.',
    ),
    "three labels": (
        lambda: observe.attribution(IOI, direction=("io", "s", "io"), session=SESSION),
        "direction=('io', 's', 'io') (--direction). Give a label, or two, as in "
        'direction=("io", "s").',
    ),
    "a metric that is no direction": (
        lambda: observe.attribution(divergence, session=SESSION),
        "The metric KL from the original is no direction of one or two labels. Give direction= "
        "(--direction), of: io, s.",
    ),
    "a metric of many labels": (
        lambda: observe.attribution(YEARS, session=SESSION),
        "The metric P(> YY) − P(<= YY) is no direction of one or two labels. Give direction= "
        f"(--direction), of: {', '.join(f'right_{i}' for i in range(20))} and 178 others.",
    ),
    "a metric that reads several positions": (
        lambda: observe.attribution(everywhere, direction="io", session=SESSION),
        'Behaviour "everywhere" reads no single position. Say where to look: at= (--at), one of: '
        "start, io, s1, s1+1, s2, end.",
    ),
    "neurons of no layer": (
        lambda: observe.attribution(IOI, by="neurons:7", session=SESSION),
        "by='neurons:7' (--by): The nearest is \"neurons:3\"; there are: parts, layers, neurons:0, "
        "neurons:1, neurons:2, neurons:3.",
    ),
    "two heads in a scatter plot": (
        lambda: observe.scatter(IOI, "name mover", session=SESSION),
        "A scatter plot is of one head, not of 2. Name one: of=[(9, 9)].",
    ),
    "components of no stream": (
        lambda: observe.components(IOI, of="stream:9", session=SESSION),
        'Model "ioi-planted" has no stream:9. The nearest is "stream:4"; there are: stream:0, '
        "stream:1, stream:2, stream:3, stream:4, mlp:0, mlp:1, mlp:2, mlp:3.",
    ),
    "no components": (
        lambda: observe.components(IOI, count=0, session=SESSION),
        "count=0. Give a whole number, 1 or more.",
    ),
    "a text that the tokenizer does not cover": (
        lambda: observe.tokens("ioi-planted", text="Alice met a quokka and Bob", session=SESSION),
        'the text does not apply to model "ioi-planted": its tokenizer does not cover 1 of 6 '
        'words: "quokka". Give a text in words that it knows.',
    ),
    "a text of one word": (
        lambda: observe.tokens("ioi-planted", text="Alice", session=SESSION),
        "the text is 1 tokens long. Give a text of two or more.",
    ),
    "a text without a tokenizer": (
        lambda: observe.tokens("parens", text="()", session=SESSION),
        'the text does not apply to model "parens": it has no tokenizer.',
    ),
    "copying by a classifier": (
        lambda: observe.copying("parens", session=SESSION),
        f"This does not apply to {PARENS_HEADS}",
    ),
    "OV circuits of a classifier": (
        lambda: observe.ov("parens", session=SESSION),
        f"This does not apply to {PARENS_HEADS}",
    ),
    "prompts of a model": (
        lambda: observe.copying("ioi-planted", at="io", session=SESSION),
        "at= (--at) says where in prompts, and a model has none. Give a behaviour.",
    ),
    "a graph of functions": (
        lambda: observe.heads(SUMS, session=SESSION),
        'Model "graph" is a graph of plain functions: it has no heads, tokens or residual stream '
        "to look at. Give a transformer.",
    ),
    "a model that is not there": (
        lambda: observe.heads("ioi-plantd", session=SESSION),
        'There is no model "ioi-plantd". The nearest is "ioi-planted"; there are: '
        f"{', '.join(embedded_names())}.",
    ),
    "no behaviour": (
        lambda: observe.attention("ioi-planted"),  # type: ignore[arg-type]  # on purpose
        "scrub.observe.attention takes a behaviour, not a str. Decorate the function with "
        "@behaviour(data=…, metric=…), or make one: ioi.behaviour(1_000).",
    ),
    "no option": (
        lambda: observe.heads("ioi-planted", sede=1),
        'scrub.observe.heads has no option "sede". The nearest is "seed"; there are: model, '
        "samples, precision, seed, device, dtype, max_memory, alone, recheck.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str) -> None:
    look, expected = REFUSED[case]
    with pytest.raises(UserError) as raised:
        look()
    assert str(raised.value) == expected


def test_no_rows_at_the_top() -> None:
    seen = observe.tokens("ioi-planted", session=SESSION)
    with pytest.raises(UserError, match=r"top\(0\): give a whole number"):
        seen.top(0)
    assert len(seen.top(3).frame) == 3
    assert isinstance(seen.top(), Observation)
