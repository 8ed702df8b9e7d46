"""`scrub.Model`, functions that make models, and what of them is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tokenizers
import torch

import scrub
from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    claim,
    edited,
    from_frame,
    heads,
    inconclusive,
    output,
    zero,
)
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.metrics import logit_diff
from scrub.model.registry import EMBEDDED, describe
from scrub.model.tokenizer import load_tokenizer, word_level
from scrub.results.result import Result
from scrub.results.run_record import IN_MEMORY, save
from support import family_models, tiny_llava
from support.command import inside

FRAME = pd.DataFrame(
    {
        "prompt": [f"word{a} word{b} word{c}" for a in (1, 2) for b in (3, 4) for c in (5, 6)],
        "first": [a for a in (1, 2) for _ in range(4)],
        "right": "word7",
        "wrong": "word8",
    }
)


def of_text(model: Any) -> Correspondence:
    """What a head writes is a function of the first word."""
    logits = InterpNode("logits", Exact(), other=Exact())
    below = logits.child("below", Agree("first"))
    return Correspondence({logits: output(at="end"), below: heads(model.role("mover"), at="end")})


def made(model: Any = None) -> scrub.Claim:
    return claim(
        data=from_frame(FRAME, text="prompt", labels=["right", "wrong"]),
        metric=logit_diff("right", "wrong"),
        expect=inconclusive(above=0.5),
        model=model,
    )(of_text)


def run(model: Any, **options: Any) -> Result:
    return scrub.run(made(), model=model, samples=20, diagnose=False, **options)


def same(one: Result, other: Result) -> bool:
    columns = ["original", "scrubbed", "baseline"]
    return one.frame[columns].equals(other.frame[columns])


def hf() -> Any:
    return family_models.hugging_face_model("gpt2").to(torch.float32)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "gpt2"
    family_models.save(family_models.hugging_face_model("gpt2"), folder)
    (folder / "roles.toml").write_text('[roles]\n"mover" = [[1, 0]]\n')
    return folder


ROLES = {"mover": [(1, 0)]}
TOKENIZERS: dict[str, Callable[[Path], Any]] = {
    "of Hugging Face": lambda folder: family_models.boot(folder, torch.float32).tokenizer,
    "of the library": lambda folder: load_tokenizer(folder).backend,
    "ours": load_tokenizer,
    "a directory": lambda folder: folder,
    "its name": str,
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_it_is_what_its_directory_is(kind: str, directory: Path) -> None:
    given = scrub.Model(hf(), TOKENIZERS[kind](directory), roles=ROLES, name="mine")
    found = run(given)
    assert same(found, run(directory))
    assert found.model == "mine in memory"


def test_of_a_bridge_the_tokenizer_is_its_own(directory: Path) -> None:
    bridge = family_models.boot(directory, torch.float32)
    assert same(run(scrub.Model(bridge, roles={"mover": "1.0"})), run(directory))


@pytest.mark.parametrize("roles", [{"mover": "1.0, 0.1"}, {"mover": ["1.0", (0, 1)]}])
def test_roles_are_written_as_heads_are(roles: Any) -> None:
    described = describe(scrub.Model(hf(), roles=roles))
    assert described.role("mover") == ((1, 0), (0, 1))


def test_roles_are_taken_once() -> None:
    given = scrub.Model(hf(), roles={"mover": (head for head in [(1, 0)])})  # type: ignore[arg-type]
    assert describe(given).roles == describe(given).roles == {"mover": ((1, 0),)}


def test_its_hash_is_the_records(directory: Path, tmp_path: Path) -> None:
    model = hf()
    given = scrub.Model(model, directory, roles=ROLES)
    found = run(given)
    assert found.in_memory
    assert given.weights_sha256 == found.weights_sha256
    record = json.loads((save(found, tmp_path / "runs") / "run.json").read_text())
    assert record["model"] == {
        "name": "GPT2LMHeadModel in memory",
        "weights_sha256": given.weights_sha256,
        "dtype": "float32",
        "in_memory": IN_MEMORY,
    }
    of_files = run(directory)
    assert not of_files.in_memory
    record = json.loads((save(of_files, tmp_path / "others") / "run.json").read_text())
    assert "in_memory" not in record["model"]
    assert run(edited(given, zero(heads([(1, 0)])))).in_memory
    model.transformer.h[0].mlp.c_fc.weight.data[0, 0] += 1
    assert given.weights_sha256 != found.weights_sha256


# What changes between two runs of a session


def edit_weights(model: Any, mine: dict[str, Any]) -> None:
    model.transformer.h[1].attn.c_proj.weight.data.mul_(-1)


def other_roles(model: Any, mine: dict[str, Any]) -> None:
    mine["roles"] = {"mover": [(0, 1)]}


def other_tokenizer(model: Any, mine: dict[str, Any]) -> None:
    words = [f"word{number}" for number in (3, 1, 2, 4, 5, 6, 7, 8)]
    table = {"<pad>": 0, "<unk>": 1} | {word: i + 2 for i, word in enumerate(words)}
    backend = word_level([])
    backend.model = tokenizers.models.WordLevel(table, unk_token="<unk>")  # type: ignore[misc]
    mine["tokenizer"] = backend


@pytest.mark.parametrize("change", [edit_weights, other_roles, other_tokenizer])
def test_a_session_sees_what_changed(change: Callable[..., None], directory: Path) -> None:
    model, session = hf(), scrub.Session()
    mine: dict[str, Any] = {"tokenizer": directory, "roles": ROLES}
    first = run(scrub.Model(model, **mine), session=session)
    assert same(first, run(scrub.Model(model, **mine), session=session))
    change(model, mine)
    changed = run(scrub.Model(model, **mine), session=session)
    assert not same(first, changed)
    assert same(changed, run(scrub.Model(model, **mine)))


# Functions that make a model


def test_a_function_is_called_once_in_a_session(directory: Path) -> None:
    calls = []

    def mine() -> scrub.Model:
        calls.append(1)
        return scrub.Model(hf(), directory, roles=ROLES)

    session = scrub.Session()
    claims = [made(mine), made(mine)]
    one, two = scrub.run(claims, samples=20, diagnose=False, session=session)
    assert isinstance(one, Result)
    assert isinstance(two, Result)
    assert len(calls) == 1
    assert same(one, run(directory))
    assert same(run(mine, session=session), one)
    assert len(calls) == 1
    run(mine)
    assert len(calls) == 2


def test_what_a_function_made_is_looked_at_again(directory: Path) -> None:
    model, session = hf(), scrub.Session()
    given = scrub.Model(model, directory, roles=ROLES)
    first = run(lambda: given, session=session)
    edit_weights(model, {})
    assert run(given, session=session).weights_sha256 != first.weights_sha256


FILE = """
import sys, torch
sys.path[:0] = {path!r}
import test_given_models as t
import scrub

def mine():
    return scrub.Model(t.hf(), {directory!r}, roles=t.ROLES, name="mine")

held = mine()
nothing = None
MODEL = mine
of_text = t.made()
"""


def test_on_the_command_line(directory: Path, tmp_path: Path) -> None:
    folder = str(Path(__file__).parent)
    text = FILE.format(path=[folder, str(Path(folder).parent)], directory=str(directory))
    (tmp_path / "own.py").write_text(text)
    for options in ((), ("--model", "own.py::held"), ("--model", "own.py::mine")):
        done = inside("test", "own.py", *options, "--samples", "20", "-q", cwd=tmp_path)
        assert (done.code, done.err) in ((0, ""), (1, ""))
    done = inside("check", "own.py", "--model", "own.py::mine", cwd=tmp_path)
    assert "of_text: legal" in done.out
    done = inside("check", "own.py", "--model", "own.py::min", cwd=tmp_path)
    assert 'no "min" in own.py. The nearest is "mine"; there are: ' in done.err
    done = inside("check", "own.py", "--model", "own.py::nothing", cwd=tmp_path)
    assert 'Model "own.py::nothing" cannot be used. model= is None, which is no model' in done.err
    done = inside("check", "own.py", "--model", f"{'x' * 5_000}.py::mine", cwd=tmp_path)
    assert 'There is no model "xxx' in done.err
    assert len(done.err) < 1_500


def failing() -> Any:
    raise OSError("the disk is gone")


def of_a_model(model: Any) -> Any:
    return model


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a function that fails": (
        lambda: run(failing),
        r"Making the model by failing\(\) failed in line \d+.*: OSError: the disk is gone\.",
    ),
    "a function of a model": (
        lambda: run(of_a_model),
        r"Making the model by of_a_model\(\) failed: .*missing 1 required .*without arguments\.",
    ),
    "a function that makes none": (
        lambda: run(lambda: None),
        r"model= is the function <lambda>, which returns None, and no model\.",
    ),
    "a function that makes a number": (lambda: run(lambda: 5), "model= is of type int, which"),
    "a pair": (
        lambda: run((hf(), None)),
        r"model= is of type tuple, which is no model\. .*scrub\.Model\(model, tokenizer\)",
    ),
    "no tokenizer": (
        lambda: run(scrub.Model(hf(), roles=ROLES)),
        r"has no tokenizer, so data= must be a Dataset\. Or give it one: scrub\.Model\(model, tok",
    ),
    "a name": (
        lambda: scrub.Model("gpt2"),
        r"scrub\.Model takes a model that is in memory, and 'gpt2' is named by where it lies",
    ),
    "a module": (lambda: scrub.Model(torch.nn.Linear(1, 1)), "model= is a Linear, a module of"),
    "a tokenizer that is none": (
        lambda: scrub.Model(hf(), object()),
        r"scrub\.Model: tokenizer= is of type object\. Give a fast tokenizer of Hugging Face",
    ),
    "a directory without one": (
        lambda: run(scrub.Model(hf(), "/nowhere", roles=ROLES)),
        'Model "GPT2LMHeadModel in memory" cannot be used. There is no tokenizer in /nowhere',
    ),
    "a tokenizer of another model": (
        lambda: run(scrub.Model(hf(), word_level(map(str, range(99))), roles=ROLES)),
        "Its tokenizer knows 101 tokens, and its configuration says that the model knows 13",
    ),
    "roles that are a list": (
        lambda: scrub.Model(hf(), roles=[1]),
        r"roles= is \[1\]\. Give heads",
    ),
    "roles of another model": (
        lambda: run(scrub.Model(hf(), roles={"mover": [(9, 9)], "other": ["x"]})),
        r'roles= is no table of roles: "mover" names head 9\.9, and .*; "other": heads\(\(\'x\',',
    ),
    "an empty name": (lambda: scrub.Model(hf(), name=" "), r"scrub\.Model: a name is empty\."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    asked, message = REFUSED[case]
    with pytest.raises(UserError, match=message):
        asked()


# Hooks


def test_hooks_of_torch_are_refused(directory: Path) -> None:
    """Also those that a probe would not tell: they may act on other inputs."""
    model, bridge = hf(), family_models.boot(directory, torch.float32)
    describe(bridge)  # from here on it has hooks of its own
    describe(bridge)
    for given, module in ((model, model.transformer.h[0]), (bridge, bridge.original_model)):
        handle = module.register_forward_hook(lambda module, inputs, out: None)
        with pytest.raises(UserError, match=r"model= has hooks at .* by remove\(\) of what regis"):
            describe(given)
        handle.remove()
        describe(given)


def test_hooks_that_stay_are_told_apart(directory: Path) -> None:
    bridge: Any = family_models.boot(directory, torch.float32)
    bridge.add_hook("blocks.0.attn.hook_z", lambda value, hook: value, is_permanent=True)
    with pytest.raises(UserError, match=re.escape("by reset_hooks(including_permanent=True).")):
        describe(bridge)
    bridge.reset_hooks(including_permanent=True)
    describe(bridge)


# What is written of it


def test_no_file_is_written_that_would_name_another_model() -> None:
    from transformers import GPT2LMHeadModel

    folder = EMBEDDED / "ioi-planted"
    hf: Any = GPT2LMHeadModel.from_pretrained(folder)
    asked: dict[str, Any] = {"senders": "3.0", "at": "end", "samples": 9}
    given = scrub.Model(hf, folder, name="mine")
    found = scrub.patch(ioi.behaviour(9), model=given, **asked)
    assert found.model == "mine in memory"
    of_files = scrub.patch(ioi.behaviour(9), model=folder, **asked)
    assert found.frame["effect"].equals(of_files.frame["effect"])
    said = r"given to Python, Model\(GPT2LMHeadModel, name='mine'\), and a file cannot name it"
    with pytest.raises(UserError, match=said):
        found.to_hypothesis()
    made = scrub.patch(ioi.behaviour(9), model=lambda: given, **asked)
    with pytest.raises(UserError, match="given to Python, a function, and a file cannot name it"):
        made.to_hypothesis()


def test_a_llava_is_refused_with_its_processor() -> None:
    with pytest.raises(UserError, match=r"model= is a LLaVA, .* Write model and processor to one"):
        scrub.Model(tiny_llava.hugging_face_model(), object())
