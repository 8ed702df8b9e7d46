"""A behaviour of a tiny random GPT-2: two layers of two heads and an MLP, 61 edges."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scrub import Uncond, behaviour, output
from scrub.api import collected_behaviour
from scrub.circuits.conventions import conventions_of
from scrub.circuits.measurements import Measurements
from scrub.circuits.subject import Subject, subject_of
from scrub.data.dataset import Dataset
from scrub.hypothesis.collect import CollectedBehaviour
from scrub.metrics import Metric, kl, logit_diff
from scrub.runner.context import Context
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs
from scrub.runner.session import Session
from support.tiny_models import VOCABULARY, hugging_face_model

ROWS, LONG = 24, 6


@functools.cache
def directory() -> Path:
    path = Path(tempfile.mkdtemp())
    hugging_face_model("gpt2").save_pretrained(path)
    return path


def data() -> Dataset:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, VOCABULARY, (ROWS, LONG))
    return Dataset(
        "tiny",
        inputs={"tokens": tokens},
        lengths=np.full(ROWS, LONG),
        positions={"end": np.full(ROWS, LONG - 1), "early": rng.integers(0, 3, ROWS)},
        labels={"good": rng.integers(0, VOCABULARY, ROWS), "bad": tokens[:, 0]},
    )


@behaviour(data=data(), metric=logit_diff("good", "bad"), corrupt=Uncond())
def tiny(model: Any) -> Any:
    """It prefers one token to another."""
    return output(at="end")


@functools.cache
def session() -> Session:
    return Session()


def context(samples: int = 12) -> Context:
    options = Options(model=str(directory()), samples=samples, dtype="float64")
    return Context(session(), options)


def item() -> CollectedBehaviour:
    return collected_behaviour(tiny)


@functools.cache
def subject(*, by_kl: bool = False) -> Subject:
    metrics: list[Metric] | None = [kl(), logit_diff("good", "bad")] if by_kl else None
    return subject_of(item(), session(), context().options, metrics)


def measurements(*, by_kl: bool = False, outputs: Outputs | None = None) -> Measurements:
    """Measured from the beginning, but for what is kept in a file."""
    where = subject(by_kl=by_kl)
    return Measurements.of(where, conventions_of(where)[0], context(), outputs)
