"""Generated inputs: through the same engine, and drawn by the same keys, as rows of a dataset."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

import scrub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle.engines import ENGINE
from scrub import (
    Agree,
    Claim,
    Correspondence,
    Dataset,
    Exact,
    Generate,
    Input,
    InterpNode,
    Paired,
    Pool,
    Together,
    Uncond,
    UserError,
    claim,
    site,
)
from scrub.data.dataset import Rows, pad_token
from scrub.draw import KeyedRandomness, draw
from scrub.hypothesis.tree import treeify
from scrub.metrics import custom
from scrub.model.arithmetic import graph, node, source
from scrub.reference import evaluate
from scrub.samplers import Sampler
from support import recorded
from support.difference import difference
from support.generator import Case, random_hypotheses
from support.resampling import resampled
from support.tiny_models import VOCABULARY, WIDTH

model = recorded.model  # fixture


# Against the reference evaluator


def shortened(reference: Input, generator: np.random.Generator) -> Input | None:
    """Without its first token, as far as no position is lost; with another feature."""
    if len(reference.tokens) < 2 or min(reference.positions.values()) == 0:
        return reference.but(columns={"two": int(generator.integers(2))})
    return reference.but(
        tokens=reference.tokens[1:],
        columns={"two": int(generator.integers(2))},
        positions={name: at - 1 for name, at in reference.positions.items()},
    )


def reworded(reference: Input, generator: np.random.Generator) -> Input:
    return reference.but(tokens=generator.integers(VOCABULARY, size=len(reference.tokens)))


def grown(reference: Input, generator: np.random.Generator) -> Input:
    """One token more, if the model takes it."""
    if len(reference.tokens) == WIDTH:
        return reference
    word = int(generator.integers(VOCABULARY))
    moved = {name: at + 1 for name, at in reference.positions.items()}
    return reference.but(tokens=[word, *reference.tokens], positions=moved)


SAMPLERS: tuple[Sampler, ...] = (
    Exact(),
    Uncond(),
    Generate(shortened),
    Generate(reworded, features="three"),
    Generate(grown),
    Agree("three"),
    Pool(2, "p", "three"),
    Together("t"),
)


@settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(case=random_hypotheses(), data=st.data())
def test_engine_equals_reference_evaluator(case: Case, data: st.DataObject) -> None:
    """As `test_engine.py` has it, with samplers that make their inputs, and that couple nodes."""
    samplers = st.sampled_from(SAMPLERS)
    mixed = resampled(case, lambda node: (data.draw(samplers), data.draw(samplers)))
    tree = treeify(mixed.correspondence)
    draws = draw(tree, mixed.data, samples=mixed.samples, seed=mixed.seed)
    expected = evaluate(mixed.correspondence, draws, mixed.bridge)
    assert difference(ENGINE.scrub(mixed, draws), expected) < 1e-9


# Drawn by the same keys

NUMBERS = Dataset(
    "numbers",
    inputs={"x": np.arange(6.0), "y": np.arange(6.0) ** 2},
    lengths=np.ones(6, dtype=int),
    columns={"parity": np.arange(6) % 2, "small": np.arange(6) < 3},
)


def noisy(reference: Input, generator: np.random.Generator) -> Input | None:
    """y is a random number of three; x stays, and so does what is said of it."""
    return reference.but(y=float(generator.integers(3)))


def rows_drawn(sampler: Sampler, index: list[int], seed: int = 0) -> Rows:
    references = Rows(NUMBERS, np.array(index))
    return sampler.draw(references, KeyedRandomness(seed, ("node", "own"), len(index)))


def read(rows: Rows, sample: int) -> dict[str, Any]:
    return {name: values[rows.index[sample]] for name, values in rows.data.inputs.items()}


def test_a_generated_input_is_what_the_function_returns() -> None:
    drawn = rows_drawn(Generate(noisy), [0, 1, 2, 3, 4, 5] * 50)
    assert drawn.data.inputs["x"][drawn.index].tolist() == [0, 1, 2, 3, 4, 5] * 50
    assert set(drawn.data.inputs["y"]) == {0.0, 1.0, 2.0}
    assert drawn.feature("parity").tolist() == [0, 1, 0, 1, 0, 1] * 50
    assert len(drawn.data) == 18, "an input that came twice is one row"
    assert drawn.population is NUMBERS


@given(
    index=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    more=st.lists(st.integers(0, 5), max_size=9),
    seed=st.integers(0, 2**40),
)
@settings(deadline=None)
def test_what_is_generated_is_keyed_by_seed_node_and_sample(
    index: list[int], more: list[int], seed: int
) -> None:
    few, many = (rows_drawn(Generate(noisy), each, seed) for each in (index, index + more))
    assert [read(few, i) for i in range(len(index))] == [read(many, i) for i in range(len(index))]
    changed = rows_drawn(Generate(noisy), [5 - index[0], *index[1:]], seed)
    assert [read(changed, i)["y"] for i in range(len(index))] == [
        read(few, i)["y"] for i in range(len(index))
    ]


def test_donors_below_a_generated_input_are_rows_of_the_claims_data() -> None:
    def odd(reference: Input, generator: np.random.Generator) -> Input:
        return reference.but(x=-1.0, columns={"parity": 1})

    root = InterpNode("root", Generate(odd), other=Uncond())
    child = root.child("child", Agree("parity"), other=Agree(["parity", "small"]))
    tree = treeify(Correspondence({n: site("x") for n in (root, child, child.child("x", Exact()))}))
    draws = draw(tree, NUMBERS, samples=200, seed=0)
    own = draws.nodes["root", "child"].own
    assert own.data is NUMBERS
    assert set(own.index) == {1, 3, 5}
    top = draws.nodes["root",].other
    assert top is not None
    assert top.data is NUMBERS
    assert set(top.index) == set(range(6))


def test_a_generated_input_that_is_like_no_row_has_no_donor() -> None:
    def strange(reference: Input, generator: np.random.Generator) -> Input:
        return reference.but(columns={"parity": 7})

    above = rows_drawn(Generate(strange), [0, 1])
    with pytest.raises(UserError) as refused:
        Agree("parity").draw(above, KeyedRandomness(0, (), 2))
    assert str(refused.value) == (
        'Agree(parity): no row of dataset "numbers" agrees with it on parity (7), where the '
        "reference is an input made by Generate(strange) (2 rows are like that). Make inputs that "
        "are like some row, or ask for less agreement."
    )


def test_pads_do_not_depend_on_what_else_was_generated() -> None:
    data = recorded.DATA
    full = data.take([int(np.argmax(data.lengths))])
    for table in (data, full):
        references = Rows(table, np.array([0]))
        made = Generate(lambda r, g: r).draw(references, KeyedRandomness(0, (), 1))
        assert pad_token(made.data) == pad_token(table)


# Numbers worked out by hand, and runs


PRODUCT = graph(
    source("x"),
    source("y"),
    node("product", lambda a, b: a * b, a="x", b="y"),
    node("out", lambda a, b: a + b, a="product", b="y"),
)


def on_product(sampler: Sampler, below: Sampler | None = None) -> Claim:
    """The product's own input is swapped."""

    @claim(data=NUMBERS, metric=custom(lambda out, rows: out.numpy()), model=PRODUCT)
    def swapped(model: Any) -> Correspondence:
        out = InterpNode("out", Exact(), other=Exact())
        product = out.child("product", sampler, other=Exact())
        sites = {out: site("out"), product: site("product")}
        if below is not None:
            sites[product.child("y", below)] = site("y", into="b")
        return Correspondence(sites)

    return swapped


def test_a_generated_input_is_computed_with() -> None:
    def negative(reference: Input, generator: np.random.Generator) -> Input:
        return reference.but(y=-reference.inputs["y"])

    result = scrub.run(on_product(Generate(negative)), samples=50, alone=True)
    row = result.draws.references.index.astype(float)
    assert result.scores.scrubbed.tolist() == (-(row**3) + row**2).tolist()
    result = scrub.run(on_product(Exact(), Generate(negative)), samples=50)
    assert result.scores.scrubbed.tolist() == (-(row**3) + row**2).tolist()
    result = scrub.run(on_product(Generate(negative), Paired(NUMBERS)), samples=50)
    assert result.scores.scrubbed.tolist() == (row**3 + row**2).tolist()


def test_runs_in_one_session_keep_nothing_of_what_was_generated() -> None:
    session = scrub.Session()
    swapped = on_product(Generate(noisy))
    first = scrub.run(swapped, session=session, samples=40, alone=True, precision=0.5)
    held = session.held()
    again = scrub.run(swapped, session=session, samples=40, alone=True, precision=0.5)
    assert session.held() == held
    assert first.scores.scrubbed.tolist() == again.scores.scrubbed.tolist()


def test_text_is_tokenized_and_shown(tmp_path: Path) -> None:
    from support.command import inside

    text = '''
    from scrub import *
    from scrub.datasets import ioi
    from scrub.metrics import logit_diff
    MODEL = "ioi-planted"

    def renamed(prompt, generator):
        name = str(generator.choice(ioi.NAMES[:9]))
        words = TEXTS[prompt.columns["io"]]
        return prompt.but(text=words.replace("X", name), columns={"io": name})

    TEXTS = {"Mary": "When X and John went to the store, John gave a drink to"}

    def data(model):
        import pandas as pd
        frame = pd.DataFrame({"prompt": [TEXTS["Mary"].replace("X", "Mary")], "io": ["Mary"],
                              "io_at": [1], "right": ["Mary"], "wrong": ["John"]})
        return from_frame(frame, text="prompt", positions=["io_at"], labels=["right", "wrong"])

    @claim(data=data, metric=logit_diff("right", "wrong"))
    def names(model):
        """Only the names matter."""
        logits = InterpNode("logits", Generate(renamed))
        return Correspondence({logits: output(at="end")})
    '''
    (tmp_path / "names.py").write_text(dedent(text))
    done = inside("show", "names.py::names", "--row", "0", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "own   Generate(renamed): When «" in done.out
    done = inside("test", "names.py", "--samples", "40", cwd=tmp_path)
    assert done.code == 0, done.err
