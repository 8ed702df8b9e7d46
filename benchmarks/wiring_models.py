"""Make the files of wired models: tokenizer, weights, roles, card, and circuits."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import torch
from attrs import evolve, field, frozen
from cards import listed
from checkout import EMBEDDED, ROOT
from wiring_parts import Wired, save

from scrub import Circuit, write_circuit
from scrub.data.dataset import Tokenizer
from scrub.hypothesis.sites import Sites


def no_circuits(model: Wired) -> dict[str, Circuit]:
    """Of models whose circuits nobody asks for."""
    return {}


@frozen(eq=False)
class Family:
    """Models that a script makes.

    Attributes:
        names: of the models.
        words: the vocabulary.
        tokenizer: writes the tokenizer to a directory, and gives it.
        made: (name, token ids of `words`) to the model, the same each time.
        card: (model, tokenizer, rows, seed) to the README.md, whose evidence is of so many rows.
        rows: how many, if nothing else is said.
        circuits: by the name of the file.
    """

    names: Sequence[str]
    words: Sequence[str]
    tokenizer: Callable[[Path], Tokenizer]
    made: Callable[[str, Mapping[str, int]], Wired]
    card: Callable[[Wired, Tokenizer, int, int], str]
    rows: int
    circuits: Callable[[Wired], Mapping[str, Circuit]] = field(default=no_circuits)


def token_ids(tokenizer: Tokenizer, words: Iterable[str]) -> dict[str, int]:
    """Token ids of words."""
    return {word: tokenizer.encode(word)[0] for word in words}


def role_rows(model: Wired, *cells: Callable[[str], str]) -> str:
    """Lines of a card's table: each role, its heads, and what else is said of it."""
    return "\n".join(
        f"| {' | '.join([role, listed(places), *(cell(role) for cell in cells)])} |"
        for role, places in model.roles.items()
    )


def circuit_of(model: Wired, roles: Mapping[str, Sites], name: str, script: str) -> Circuit:
    """A circuit of parts of a model, without edges; all MLPs are free.

    Args:
        model: the model.
        roles: role → what plays it, and at which positions.
        name: of the circuit.
        script: the file in `benchmarks/` that made the model.
    """
    return evolve(
        Circuit.of(*roles.values(), free="mlps"),
        name=name,
        model=model.name,
        source=f"wired by hand: benchmarks/{script}",
        roles={
            role: [cell.cell for cell in Circuit.of(site).cells] for role, site in roles.items()
        },
    )


def main(family: Family) -> None:
    """Read the command line and make them all."""
    parser = argparse.ArgumentParser(description=f"Make {', '.join(family.names)}.")
    default = "default %(default)s"
    parser.add_argument("--out", type=Path, default=EMBEDDED, help=f"folder to write to; {default}")
    parser.add_argument("--circuits", type=Path, default=ROOT / "circuits", help=default)
    parser.add_argument("--rows", type=int, default=family.rows, help=f"of evidence; {default}")
    parser.add_argument("--seed", type=int, default=7, help=f"of evidence; {default}")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.circuits.mkdir(parents=True, exist_ok=True)
    for name in family.names:
        directory = given.out / name
        tokenizer = family.tokenizer(directory)
        model = family.made(name, token_ids(tokenizer, family.words))
        save(model, directory, family.card(model, tokenizer, given.rows, given.seed))
        for file, circuit in family.circuits(model).items():
            write_circuit(circuit, given.circuits / f"{file}.json")
        print(f"saved in {directory}")
