"""What stands in for all outside of a circuit: the behaviour's own corruption, and its neighbours.

Scores of a circuit hang on it (Miller, Chughtai & Saunders 2024, "Transformer Circuit Faithfulness
Metrics are not Robust", arXiv 2407.08734), so that one convention is no score.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from scrub.circuits.subject import Subject
from scrub.data.dataset import Dataset, Rows
from scrub.hypothesis.positions import ALL
from scrub.samplers import Agree, Mean, Uncond, Zero, describe_sampler, is_virtual, source_of
from scrub.samplers.agreement import classes
from scrub.samplers.alike import dividing, unlike


@frozen
class Convention:
    """What all outside of a circuit is computed on.

    Attributes:
        name: "mean by template", "resample: Paired(…)", "zero".
        other: a bound sampler of the root's other inputs.
        problem: why it makes no sense for this data; "" where it does.
    """

    name: str
    other: Any
    problem: str = ""


def conventions_of(subject: Subject, columns: Sequence[str] = ()) -> tuple[Convention, ...]:
    """The behaviour's own corruption, then its neighbours, each sampler once.

    - *mean*: of the rows of the data that are alike in length and in the position columns, which is
      the coarsest division by a few columns that makes them so.
    - *mean of the corrupted inputs*: the same of the dataset that the corruption brings.
    - *resample*: any row of such a class.
    - *zero*: zeros at every site.

    Args:
        columns: position columns that the circuits name; those of the root are known.

    Returns:
        also those that make no sense here, with the reason.
    """
    own = subject.corrupt
    named = dict.fromkeys([*columns, *_of_root(subject)])
    kind = "" if is_virtual(own) else "resample: "
    found = [Convention(f"{kind}{describe_sampler(own)}", own)]
    means: list[tuple[str, Dataset | None]] = [("mean", None)]
    brought = source_of(own)
    if brought is not None and brought is not subject.data and not is_virtual(own):
        means.append(("mean of the corrupted inputs", brought))
    for name, of in means:
        table = subject.data if of is None else of
        features, problem = features_alike(table, list(named))
        by = f" by {', '.join(features)}" if features else ""
        found.append(Convention(f"{name}{by}", Mean(*features, of=of), problem))
    features, problem = features_alike(subject.data, list(named))
    resampled = Agree(features) if features else Uncond()
    found.append(Convention(f"resample: {describe_sampler(resampled)}", resampled, problem))
    found.append(Convention("zero", Zero()))
    return tuple(one for n, one in enumerate(found) if n == 0 or one.other != own)


def features_alike(data: Dataset, named: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Columns such that rows that agree on them are alike in length and positions; and why not.

    Law: with rows that are alike already there are none.

    Args:
        named: position columns.
    """
    every = Rows(data, np.arange(len(data)))
    looked = {"length": data.lengths}
    looked |= {name: data.position(name) for name in named if name in data.positions}
    features: tuple[str, ...] = ()
    for values in looked.values():
        while True:
            class_of, _ = classes(every, features)
            drawn = np.unique(class_of)
            if unlike(class_of, drawn, values) is None:
                break
            column = dividing(features, data, class_of, drawn, values)
            if column is None:
                return features, f"no column of {data.name} divides rows into such that are alike"
            features = (*features, column)
    class_of, _ = classes(every, features)
    if len(data) > 1 and np.median(np.bincount(class_of)[class_of]) < 2:
        return features, "most rows would be their own mean, and nothing would be knocked out"
    return features, ""


def _of_root(subject: Subject) -> list[str]:
    """The position columns at which the metrics read the model."""
    ats = [route.at for route in subject.root.routes if route.at != ALL]
    return [spec for at in ats for spec in at if isinstance(spec, str)]
