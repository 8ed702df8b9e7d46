"""Records of claims that hold all that `recompute.py` handles, of a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oracle import recompute
from scrub import (
    Agree,
    Claim,
    Constant,
    Correspondence,
    Dataset,
    Exact,
    Fixed,
    Generate,
    Input,
    InterpNode,
    Mean,
    Paired,
    Steer,
    Uncond,
    Zero,
    heads,
    input_stream,
    mlp,
    output,
    position_embedding,
    run,
    token_embedding,
)
from scrub.data.dataset import Rows, pad
from scrub.hypothesis.sites import summand
from scrub.hypothesis.splits import estimate, projection
from scrub.metrics import Metric, cross_entropy, logit_diff, probability_diff
from scrub.model.tokenizer import save_word_level
from scrub.results.run_record import save
from support.paths import ROOT

SCRIPT = ROOT / "tests" / "oracle" / "recompute.py"
WORDS = "abcdefghijkl"
WIDTH = 9
SAMPLES = 100  # more than the script takes at a time

Build = Callable[[Any], Correspondence]


# A tiny model, and data whose rows differ in length and in where their positions stand


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 with weights so large that any error shows."""
    from transformers import GPT2Config, GPT2LMHeadModel

    directory = tmp_path_factory.mktemp("model")
    tokenizer = save_word_level(directory, WORDS, WIDTH)
    size = tokenizer.backend.get_vocab_size()
    config = GPT2Config(vocab_size=size, n_positions=WIDTH, n_embd=12, n_layer=3, n_head=2)
    gpt2, generator = GPT2LMHeadModel(config), torch.Generator().manual_seed(0)
    for name, parameter in gpt2.named_parameters():
        noise = 0.4 * torch.randn(parameter.shape, generator=generator)
        parameter.data = noise + (".ln_" in name and name.endswith("weight"))
    gpt2.save_pretrained(directory)
    return directory


def rows(name: str, shortest: int, longest: int, seed: int) -> Dataset:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, 40)
    tokens = [rng.integers(2, 2 + len(WORDS), length).tolist() for length in lengths]
    late = rng.integers(2, lengths - 1)
    early = rng.integers(0, late)
    return Dataset(
        name,
        inputs={"tokens": pad(tokens, 0)},
        lengths=lengths,
        columns={"kind": rng.integers(0, 3, 40)},
        positions={"early": early, "late": late, "end": lengths - 1},
        labels={"right": rng.integers(2, 14, 40), "wrong": rng.integers(2, 14, 40)},
    )


DATA, LONGER = rows("data", 4, 7, seed=1), rows("longer", 6, WIDTH, seed=2)


# Claims: together they hold all that the script handles


def nested(_: Any) -> Correspondence:
    """Four levels: heads and MLPs under the logits, by one port each, donors of other lengths."""
    logits = InterpNode("logits", Exact(), other=Agree("kind"))
    late = logits.child("late", Agree("kind"), other=Fixed(LONGER))
    query = late.child("query", Fixed(LONGER), other=Uncond())
    source = late.child("source", Uncond(), other=Agree("kind"))
    word = source.child("word", Agree("kind"))
    mixed = query.child("mixed", Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            late: heads([(2, 0), (2, 1)], at="end"),
            query: mlp(1, at="end", into="q"),
            source: heads([(0, 1), (1, 0)], at=("early", "late"), into=("k", "v")),
            word: token_embedding(at=("early", "late"), into="v"),
            mixed: heads([(1, 1)], at="end") | position_embedding(at="end"),
        }
    )


def everywhere(_: Any) -> Correspondence:
    """Positions by index and all of them; heads that feed an MLP of their own layer."""
    logits = InterpNode("logits", Agree("kind"), other=Fixed(LONGER))
    last = logits.child("last", Uncond(), other=Fixed(LONGER))
    before = last.child("before", Fixed(LONGER), other=Agree("kind"))
    first = before.child("first", Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            last: mlp(2, at="end"),
            before: heads([(1, 0), (2, 1)]) | mlp(0, 1),
            first: heads([(0, 0)], at=(0, 3)) | token_embedding(at=1),
        }
    )


def routes(_: Any) -> Correspondence:
    """One node by several routes, and one that is drawn once for each of two parents."""
    logits = InterpNode("logits", Exact(), other=Uncond())
    one = logits.child("one", Agree("kind"))
    two = logits.child("two", Uncond())
    shared = InterpNode("shared", Fixed(LONGER), parents=(one, two))
    return Correspondence(
        {
            logits: output(at="end"),
            one: heads([(1, 0), (2, 0)], at="end"),
            two: heads([(2, 1)], at="end") | mlp(1, at="end"),
            shared: heads([(0, 0)], at="early", into="k")
            | heads([(0, 1)], at=("early", "end"), into=("q", "v"))
            | (token_embedding(at="end") | mlp(1, at="end")),
        }
    )


def streams(_: Any) -> Correspondence:
    """Whole input streams: of heads by some ports, of an MLP, with a node below one."""
    logits = InterpNode("logits", Exact(), other=Exact())
    late = logits.child("late", Exact(), other=Uncond())
    keys = late.child("keys", Agree("kind"))
    queries = late.child("queries", Uncond(), other=Fixed(LONGER))
    early = queries.child("early", Uncond())
    block = logits.child("block", Agree("kind"), other=Uncond())
    read = block.child("read", Fixed(LONGER))
    both = heads([(2, 0), (2, 1)], at="end")
    return Correspondence(
        {
            logits: output(at="end"),
            late: both,
            keys: input_stream(both, by=("k", "v"), at=("early", "late")),
            queries: input_stream(both, by="q", at="end"),
            early: heads([(0, 0), (1, 1)], at="end") | mlp(0, at="end"),
            block: mlp(1, at="end"),
            read: input_stream(mlp(1), at="end"),
        }
    )


def projected(_: Any) -> Correspondence:
    """A direction, a plane and the rest of two heads; below the rest, a direction of an MLP."""
    rng = np.random.default_rng(3)
    basis, _ = np.linalg.qr(rng.normal(size=(6, 3)))
    of_heads = projection(one=basis[:, 0], plane=basis[:, 1:])
    of_mlp = projection(one=rng.normal(size=12))
    late = heads([(2, 0), (2, 1)], at="end")
    logits = InterpNode("logits", Exact(), other=Uncond())
    one = logits.child("one", Agree("kind"))
    plane = logits.child("plane", Uncond())
    rest = logits.child("rest", Agree("kind"), other=Fixed(LONGER))
    below = rest.child("below", Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            one: summand(late, of_heads, "one"),
            plane: summand(late, of_heads, "plane"),
            rest: summand(late, of_heads, "rest"),
            below: summand(mlp(0, at=("early", "late"), into="v"), of_mlp, "one"),
        }
    )


def by_token(rows: Rows) -> np.ndarray:
    """An estimate of an MLP's output from the token that stands there."""
    table = np.random.default_rng(4).normal(size=(2 + len(WORDS), 12))
    return table[rows.data.inputs["tokens"][rows.index]]


def by_kind(rows: Rows) -> np.ndarray:
    """An estimate that is the same at every position of a row."""
    table = np.random.default_rng(5).normal(size=(3, 12))
    return table[rows.data.columns["kind"][rows.index]]


def estimated(_: Any) -> Correspondence:
    """φ of a leaf, the rest of a node that has a child, and the rest of that."""
    first, second = estimate(by_token), estimate(by_kind, name="kind")
    logits = InterpNode("logits", Exact(), other=Agree("kind"))
    token = logits.child("token", Uncond())
    rest = logits.child("rest", Agree("kind"), other=Uncond())
    below = rest.child("below", Fixed(LONGER))
    return Correspondence(
        {
            logits: output(at="end"),
            token: summand(mlp(2, at="end"), first, "phi"),
            rest: summand(mlp(1, at="end"), second, "rest"),
            below: summand(mlp(0, at="end"), estimate(by_token), "rest"),
        }
    )


def alone(_: Any) -> Correspondence:
    """A root without children is a leaf."""
    return Correspondence({InterpNode("logits", Agree("kind")): output(at="late")})


def lengthened(reference: Input, generator: np.random.Generator) -> Input | None:
    """Another first word, and one more before it; rejected where it has the reference's kind."""
    tokens = reference.tokens.copy()
    tokens[0] = generator.integers(2, 14)
    kind = int(generator.integers(3))
    if kind == reference.feature("kind"):
        return None
    return reference.but(
        tokens=[int(generator.integers(2, 14)), *tokens],
        columns={"kind": kind},
        positions={name: at + 1 for name, at in reference.positions.items()},
    )


def reworded(reference: Input, generator: np.random.Generator) -> Input:
    """Other words, as many."""
    return reference.but(tokens=generator.integers(2, 14, len(reference.tokens)))


def generated(_: Any) -> Correspondence:
    """Generated inputs of other lengths, nodes below them, and pairs that go by the root."""
    logits = InterpNode("logits", Exact(), other=Generate(lengthened))
    late = logits.child("late", Generate(lengthened), other=Generate(reworded, features="kind"))
    query = late.child("query", Generate(reworded))
    source = late.child("source", Agree("kind"), other=Paired(LONGER))
    word = source.child("word", Paired(LONGER))
    return Correspondence(
        {
            logits: output(at="end"),
            late: heads([(2, 0), (2, 1)], at="end"),
            query: mlp(1, at="end", into="q"),
            source: heads([(0, 1), (1, 0)], at=("early", "late"), into=("k", "v")),
            word: token_embedding(at=("early", "late"), into="v"),
        }
    )


def virtual(_: Any) -> Correspondence:
    """Virtual rows of every kind, as leaves and as other inputs."""
    rng = np.random.default_rng(6)
    logits = InterpNode("logits", Exact(), other=Mean("end"))
    kept = logits.child("kept", Exact())
    zero = logits.child("zero", Zero())
    constant = logits.child("constant", Constant(rng.normal(size=(WIDTH, 6))))
    steered = logits.child("steered", Steer(rng.normal(size=12), by=-2))
    late = logits.child("late", Exact(), other=Zero())
    below = late.child("below", Mean("end", "kind"))
    return Correspondence(
        {
            logits: output(at="end"),
            kept: heads([(2, 0), (2, 1)], at="end"),
            zero: heads([(1, 0)], at="end"),
            constant: heads([(1, 1)], at="end"),
            steered: mlp(1, at="end"),
            late: mlp(2, at="end"),
            below: heads([(0, 0)], at="end") | mlp(0, at="end"),
        }
    )


CLAIMS: dict[str, tuple[Build, Metric]] = {
    "nested": (nested, logit_diff("right", "wrong")),
    "everywhere": (everywhere, cross_entropy("right")),
    "routes": (routes, probability_diff("right", "wrong")),
    "streams": (streams, logit_diff("right", "wrong")),
    "projected": (projected, logit_diff("right", "wrong")),
    "estimated": (estimated, cross_entropy("right")),
    "alone": (alone, cross_entropy("wrong")),
    "generated": (generated, logit_diff("right", "wrong")),
    "virtual": (virtual, logit_diff("right", "wrong")),
}


def record_of(name: str, build: Build, metric: Metric, model: Path, to: Path) -> Path:
    return save(run(Claim(name, build, DATA, metric), model=str(model), samples=SAMPLES), to)


def recomputed(folder: Path, model: Path) -> int:
    """The exit code of the script on a record, in this process: imports take most of its time."""
    with torch.no_grad():
        return recompute.main(folder, model)


@pytest.fixture(scope="module")
def folders(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The record of every claim."""
    to = tmp_path_factory.mktemp("records")
    return {name: record_of(name, *claim, model, to) for name, claim in CLAIMS.items()}
