"""Principal components of a site, coloured by a feature."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch

from scrub import names
from scrub.errors import UserError
from scrub.hypothesis.sites import Spec
from scrub.observations.heads import by_layer, named_heads
from scrub.observations.observation import Observation, frame_of
from scrub.observations.picture import Points
from scrub.observations.subject import Part, Subject, did_you_mean_number, weights_of
from scrub.runner.options import is_whole

COMPONENTS = 2
PLACE = re.compile(r"(stream|mlp)s?[: ]?(\d*)", flags=re.IGNORECASE)


def components(
    subject: Subject,
    of: Any = None,
    at: Any = None,
    by: str | None = None,
    count: int = COMPONENTS,
) -> Observation:
    """The directions in which a site's values vary most, and how a feature goes with them.

    Args:
        of: what is looked at: heads or a role (what they write together), "mlp:2", "stream:2" (the
            stream before layer 2; given the number of layers the last one, the default).
        at: positions, each a point of every row; default: that of the behaviour's metric.
        by: a feature that colours the points; default: the position, where there are several.
        count: how many components.

    Returns:
        One row a row of the data and position: row, at, pc1, pc2, …, and the feature. Its first
        table has for each component its share of the variance, and `explained`: the share of the
        component's own variance that lies between the feature's values, not within them.

    Raises:
        UserError: there is no such site, position or feature, or fewer than two points.
    """
    if not is_whole(count) or count < 1:
        raise UserError(f"count={count!r}. Give a whole number, 1 or more.")
    specs = (subject.position(None),) if at is None else subject.positions(at)
    colours = None if by is None or by == "at" else subject.feature(by)
    found = np.concatenate(list(_values(subject, of, specs)))  # [rows, positions, d_model]
    points = found.swapaxes(0, 1).reshape(-1, found.shape[-1])
    if len(points) < 2:
        raise UserError(f"Principal components take two points or more, not {len(points)}.")
    scores, shares = principal(points, count)
    rows, index = [], subject.values.rows.index
    for number, score in enumerate(scores):
        place, row = divmod(number, len(index))
        point = {"row": int(index[row]), "at": specs[place]}
        point |= {f"pc{n + 1}": value for n, value in enumerate(score)}
        rows.append(point | ({} if colours is None or by is None else {by: colours[row]}))
    frame = frame_of(rows)
    colour = by or ("at" if len(specs) > 1 else "")
    classes = frame[colour].to_numpy() if colour else None
    summed = [
        {"component": f"pc{n + 1}", "share": share}
        | ({} if classes is None else {"explained": between(scores[:, n], classes)})
        for n, share in enumerate(shares)
    ]
    notes = ["share: of the variance over points"]
    if colour:
        notes.append(f"explained: share of the component's variance between values of {colour}")
    title = f"Principal components of {_shown(subject, of)} at {', '.join(map(str, specs))}"
    axes = ("pc1", "pc2") if scores.shape[1] > 1 else ("row", "pc1")
    return Observation(
        title, subject.about, frame, tuple(notes), Points(*axes, colour), tables=(frame_of(summed),)
    )


def principal(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of points along their first principal components, and shares of the variance.

    The sign of a component is such that its largest weight is positive. Shares are NaN where no
    point differs from another.
    """
    centred = points - points.mean(0)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    count = min(count, len(sizes))
    largest = np.abs(right[:count]).argmax(1)
    sign = np.sign(right[np.arange(count), largest])
    total = np.square(sizes).sum()
    shares = np.square(sizes[:count]) / total if total else np.full(count, np.nan)
    return left[:, :count] * sizes[:count] * sign, shares


def between(scores: np.ndarray, classes: np.ndarray) -> float:
    """The share of the variance that lies between classes; NaN where there is none at all."""
    total = np.square(scores - scores.mean()).sum()
    if not total:
        return np.nan
    groups = [scores[classes == value] for value in dict.fromkeys(classes.tolist())]
    apart = sum(len(group) * (group.mean() - scores.mean()) ** 2 for group in groups)
    return float(apart / total)


def _layers(subject: Subject) -> int:
    return len(weights_of(subject.model).blocks)


def _shown(subject: Subject, of: Any) -> str:
    return f"stream:{_layers(subject)}" if of is None else str(of)


def _values(subject: Subject, of: Any, specs: tuple[Spec, ...]) -> Any:
    """What is looked at, part by part: [rows, positions, d_model] in float64."""
    name = _site(subject, of)
    heads = () if name else named_heads(of, subject.model, "outputs of this kind")
    layers = by_layer(heads)
    read = [name] if name else [names.attention_site(layer, "result") for layer in layers]
    for part in subject.values.parts(read):
        with torch.no_grad():
            at = part.index(*specs)
            value = part.value(name, at)[:, :, 0] if name else _written(part, layers, at)
        yield value.double().cpu().numpy()


def _written(part: Part, layers: dict[int, list[int]], at: torch.Tensor) -> torch.Tensor:
    """What heads write together."""
    each = [
        part.value(names.attention_site(layer, "result"), at)[:, :, numbers].sum(2)
        for layer, numbers in layers.items()
    ]
    return torch.stack(each).sum(0)


def _site(subject: Subject, of: Any) -> str:
    """The site or stream that is named; "" where heads are."""
    layers = _layers(subject)
    if of is None:
        return names.resid_pre(layers)
    asked = PLACE.fullmatch(of.strip()) if isinstance(of, str) else None
    if asked is None:
        return ""
    known = {f"stream:{layer}": names.resid_pre(layer) for layer in range(layers + 1)}
    mlps = {f"mlp:{layer}": names.mlp(layer) for layer in range(layers)}
    known |= {name: site for name, site in mlps.items() if site in subject.model.graph.sites}
    wanted = f"{asked[1].lower()}:{asked[2]}"
    if wanted not in known:
        hint = did_you_mean_number(wanted, known)
        raise UserError(f'Model "{subject.model.name}" has no {of}. {hint}')
    return known[wanted]
