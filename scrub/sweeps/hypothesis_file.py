"""The strongest senders of a sweep as a hypothesis file, as a person would write it."""

from __future__ import annotations

import keyword
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve, frozen

from scrub.errors import UserError
from scrub.hypothesis.sites import At, Route, Through
from scrub.hypothesis.splits import neurons
from scrub.samplers import Agree, Paired, Uncond
from scrub.samplers.fixed import Fixed
from scrub.stats.intervals import Interval
from scrub.stats.rounding import interval
from scrub.sweeps.code import Call, Roles, lines, sites_in_code
from scrub.sweeps.senders import NEURONS, Sender
from scrub.sweeps.sweep import Origin, Sweep

CLAIM, STRONGEST = "strongest_senders", "strongest"
OFFERED = (
    "Correspondence", "Exact", "InterpNode", "Together", "anything", "claim", "embeddings",
    "heads", "input_stream", "mlp", "mlp_part", "mlps", "neurons", "none", "output",
    "position_embedding", "site", "summand", "supported", "token_embedding",
)  # fmt: skip
"""What a file may import of scrub, in the order of a sorted import."""

TAKEN = (*OFFERED, CLAIM, "root", "receiver", "model")
"""Names that stand for something else in the file."""


class NothingCertainError(UserError):
    """Nothing is wrong with the input, but no effect is away from zero."""


@frozen
class Node:
    """A child of the file's tree: its name, and its sites."""

    name: str
    routes: tuple[Route, ...]

    @property
    def variable(self) -> str:
        """A name for it in Python that nothing else in the file has."""
        found = re.sub(r"\W+", "_", self.name).strip("_").lower()
        taken = found in TAKEN or keyword.iskeyword(found) or not found.isidentifier()
        return f"node_{found}" if taken else found


def hypothesis_text(sweep: Sweep, n: int | None = None, recovered: Interval | None = None) -> str:
    """The text of a file with one claim about these senders.

    Restoring, it says that they are enough: with all else corrupted they recover so much.
    Corrupting, it says that they are needed: without them no more than so much is left.

    Args:
        n: at most so many senders, the largest effects first.
        recovered: what the claim recovers, for its bound; None: it has none.

    Raises:
        NothingCertainError: no effect is away from zero.
        UserError: effects are approximate, or attention is what was measured; or the behaviour is
            held by no variable of a file.
    """
    _check(sweep)
    chosen = [sweep.senders[number] for number in sweep.certain()[:n]]
    if not chosen:
        count = len(sweep.senders)
        every = "1 sender" if count == 1 else f"{count} senders"
        raise NothingCertainError(
            f"No effect of the {every} is away from zero: there is nothing to make a hypothesis "
            "of. More samples (--samples), another corruption or another receiver may tell."
        )
    function = _function(sweep, _nodes(chosen, sweep))
    decorator = _decorator(sweep, recovered)
    used = set(re.findall(r"\w+", function + decorator))
    imported = tuple(name for name in OFFERED if name in used)
    more = () if sweep.origin.model else ("MODEL",)
    held = tuple(sorted({sweep.origin.variable, *more}))
    return (
        f'"""{sweep.behaviour}: the senders that a sweep found strongest."""\n\n'
        f"{imports('scrub', imported)}\n\n"
        f"{imports(sweep.origin.module, held)}\n\n\n"
        f"{_remark(sweep, recovered)}{decorator}\n{function}\n"
    )


def imports(module: str, imported: Sequence[str]) -> str:
    """An import of these names, on one line or a line each."""
    flat = f"from {module} import {', '.join(imported)}"
    if len(flat) <= 100:
        return flat
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in imported) + ")"


def _check(sweep: Sweep) -> None:
    if sweep.question.through.circuit is not None:
        raise UserError(
            "Paths of this sweep keep to a circuit: no hypothesis is written of that. Write it as "
            "a claim, with through=circuit."
        )
    if not sweep.exact:
        raise UserError(
            "First-order effects rank, they decide nothing: no hypothesis is made of them. Leave "
            "out approximate= (--approximate)."
        )
    if sweep.attention:
        raise UserError(
            f"{sweep.receiver} is measured where it is, and not by the behaviour's metric: no "
            "hypothesis is made of that. Send to the pattern instead, or to the logits."
        )
    check_importable(sweep.origin, sweep.behaviour, "scrub patch")


def check_importable(origin: Origin, behaviour: str, command: str) -> None:
    """Refuse a behaviour that no file could import.

    Raises:
        UserError: what to do instead, by which command.
    """
    origin.check_named()
    if not (origin.module.isidentifier() and origin.variable.isidentifier()):
        raise UserError(
            f"Behaviour {behaviour} is held by no variable of a file that another file could "
            f"import. Write it into a file, and run {command} on that file (--save FILE.py)."
        )


def _nodes(senders: Sequence[Sender], sweep: Sweep) -> list[Node]:
    """Roles whose heads are all there, then the other senders, by their positions.

    Where paths pass other sites, siblings would stand in each other's way: all are one node then.
    """
    through = sweep.question.through
    by_at: dict[At, list[Sender]] = {}
    for sender in _one_split(senders):
        by_at.setdefault(sender.routes[0].at, []).append(sender)
    nodes: list[Node] = []
    for at, here in by_at.items():
        left = list(here)
        for role, members in sweep.roles.items():
            those = [s for s in left if s.kind == "heads" and (s.layer, s.head) in members]
            if members and len(those) == len(members):
                nodes.append(Node(f"{role} heads{_where(at)}", _routes(those, through)))
                left = [sender for sender in left if sender not in those]
        if left:
            name = left[0].name if len(left) == 1 else "others" if nodes else "senders"
            nodes.append(Node(f"{name}{_where(at)}", _routes(left, through)))
    if through == Through("none") or len(nodes) == 1:
        return nodes
    return [Node("senders", tuple(route for node in nodes for route in node.routes))]


def _one_split(senders: Sequence[Sender]) -> Sequence[Sender]:
    """Neurons as summands of one split: all in one set where they are at the same positions."""
    if any(sender.kind != NEURONS for sender in senders):
        return senders
    numbers = sorted({sender.head for sender in senders if sender.head is not None})
    (cell,), route = senders[0].cells, senders[0].routes[0]
    if len({sender.at for sender in senders}) == 1:
        together = evolve(cell, part=STRONGEST)
        split = neurons(**{STRONGEST: numbers})
        whole = evolve(route, cells=(together,), split=split)
        return [evolve(senders[0], name="strongest neurons", routes=(whole,), head=None)]
    split = neurons(**{f"n{number}": [number] for number in numbers})
    return [
        evolve(sender, routes=tuple(evolve(route, split=split) for route in sender.routes))
        for sender in senders
    ]


def _where(at: At) -> str:
    return "" if isinstance(at, str) else f" at {', '.join(map(str, at))}"


def _routes(senders: Iterable[Sender], through: Through) -> tuple[Route, ...]:
    return tuple(route for sender in senders for route in sender.sites(through).routes)


def _function(sweep: Sweep, nodes: Sequence[Node]) -> str:
    holder, roles = sweep.origin.variable, sweep.roles
    exact, corrupt = "Exact()", _corrupt(sweep)
    own, other = (exact, corrupt) if sweep.question.restore else (corrupt, exact)
    said = [f'    root = InterpNode("root", Exact(), other={other})']
    entries: list[str] = [lines(f"root: {holder}.build(model)", 12, after=",")]
    parent = "root"
    if sweep.receiver_routes:
        parent = "receiver"
        said.append(f'    receiver = root.child("receiver", Exact(), other={other})')
        entries.append(_entry("receiver", sweep.receiver_routes, roles, said))
    for node in nodes:
        said.append(f'    {node.variable} = {parent}.child("{node.name}", {own})')
        entries.append(_entry(node.variable, node.routes, roles, said))
    body = "\n".join([*said, "    return Correspondence(", "        {", *entries, "        }"])
    head = f"def {CLAIM}(model):\n"
    return f'{head}    """{_says(sweep, nodes)}"""\n{body}\n    )'


def _entry(variable: str, routes: Iterable[Route], roles: Roles, said: list[str]) -> str:
    """A line of the mapping; sites of several kinds are named before it."""
    made = sites_in_code(routes, roles)
    if len(made) == 1:
        return lines(made[0], 12, before=f"{variable}: ", after=",")
    parts = [f"{variable}_{number}" for number in range(1, len(made) + 1)]
    said += [lines(one, 4, before=f"{part} = ") for part, one in zip(parts, made, strict=True)]
    if len(f"{variable}: {' | '.join(parts)}") <= 80:
        return f"            {variable}: {' | '.join(parts)},"
    said.append(f"    {variable}_sites = {parts[0]}")
    said += [f"    {variable}_sites |= {part}" for part in parts[1:]]
    return f"            {variable}: {variable}_sites,"


def _corrupt(sweep: Sweep) -> str:
    """The sampler in code. Root and receiver get the same corrupted input, however it is drawn."""
    own = f"{sweep.origin.variable}.corrupt"
    if not (sweep.receiver_routes and sweep.question.restore):
        return own
    if found := shared_corruption(sweep.corrupt, own):
        return found
    raise UserError(
        "The receiver and the rest of the model are computed on one corrupted input, and "
        f"{type(sweep.corrupt).__name__} would draw two. Take Paired(…), Uncond() or Agree(…) as "
        "corrupt=, or corrupt the senders (--corrupt)."
    )


def shared_corruption(corrupt: Any, own: str) -> str:
    """A sampler in code by which several nodes draw one corrupted input; "" where none is known.

    Args:
        own: the behaviour's sampler in code.
    """
    match corrupt:
        case Uncond():
            return 'Together("corrupted")'
        case Agree(features=features, differ=()):
            listed = ", ".join(f'"{name}"' for name in features)
            return f'Together("corrupted", [{listed}])'
        case Paired() | Fixed():
            return own
    return ""


def _says(sweep: Sweep, nodes: Sequence[Node]) -> str:
    if sweep.question.restore:
        verdict = "enough: the rest may come from the corrupted run"
    else:
        verdict = "needed: the rest alone does not do it"
    listed = ", ".join(node.name for node in nodes)
    verb = "is" if len(nodes) == 1 and " heads" not in listed else "are"
    said = f"{listed[:1].upper()}{listed[1:]} {verb} {verdict}."
    return said if len(said) <= 88 else f"The strongest senders are {verdict}."


def _decorator(sweep: Sweep, recovered: Interval | None) -> str:
    holder = sweep.origin.variable
    arguments = [f"data={holder}.data", f"metric={holder}.metric"]
    if expect := _expectation(sweep, recovered):
        arguments.append(f"expect={expect}")
    if sweep.origin.model:
        arguments.append(f"model={sweep.origin.model}")
    return lines(Call("@claim(", tuple(arguments)))


def _expectation(sweep: Sweep, recovered: Interval | None) -> str:
    """A bound at the next tenth that the interval lies beyond; "" where there is none."""
    if recovered is None or not math.isfinite(recovered.least + recovered.most):
        return ""
    if sweep.question.restore:
        bound = math.floor(10 * recovered.least) / 10
        return f"supported(above={bound:g})" if bound > 0 else ""
    bound = math.ceil(10 * recovered.most) / 10
    return f"supported(below={bound:g})" if bound < 1 else ""


def _remark(sweep: Sweep, recovered: Interval | None) -> str:
    if recovered is None:
        return ""
    done = "all else" if sweep.question.restore else "these senders, all at once,"
    said = (
        f"With {done} corrupted, {interval(recovered)} of the loss was recovered when this was "
        "written (1: all of it, 0: none), on the references that the senders were chosen by "
        f"({sweep.samples:,}, seed {sweep.seed}): other data is a harsher test."
    )
    return textwrap.fill(said, 98, initial_indent="# ", subsequent_indent="# ") + "\n"
