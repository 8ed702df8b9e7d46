"""ACDC's way to run a circuit: one hooked forward, in which edges are added one by one.

As `TLACDCExperiment` of ArthurConmy/Automatic-Circuit-Discovery does it (acdc/TLACDCExperiment.py,
`receiver_hook` and `sender_hook`): every reader's input is set to that of the corrupted run, and
for every edge of the circuit the sender's output so far is added and its corrupted one taken away.
Written anew for a model in plain PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from scrub.hypothesis.circuit import Edge
from timing.mask_forwards import Patched
from timing.plain_model import Reader, Writer, sources_of


def corrupted_inputs(run: Patched, corrupted: Tensor) -> dict[str, Tensor]:
    """What every reader reads in the corrupted run."""
    inputs: dict[str, Tensor] = {}

    def read(reader: Reader, value: Tensor) -> None:
        inputs[reader.point] = value.clone()

    handles = run.model.hooked(read, lambda writer, value: None)
    with torch.inference_mode():
        run.model(corrupted, run.ends)
    for handle in handles:
        handle.remove()
    return inputs


def logits(run: Patched, inputs: dict[str, Tensor], circuit: Sequence[Edge]) -> Tensor:
    """Logits of a circuit, [rows, outputs]."""
    kept = sources_of(run.model, circuit)
    online: dict[int, Tensor] = {}

    def read(reader: Reader, value: Tensor) -> Tensor:
        new = inputs[reader.point].clone()
        for number in range(len(reader.cells)):
            part = new[:, :, number] if reader.of_heads else new
            for source in kept[reader.point, number]:
                part += online[source]
                part -= run.corrupted[source]
        return new

    def write(writer: Writer, value: Tensor) -> None:
        several = value.unbind(2) if writer.of_heads else (value,)
        online.update({writer.first + i: one for i, one in enumerate(several)})

    handles = run.model.hooked(read, write)
    try:
        with torch.inference_mode():
            return run.model(run.tokens, run.ends)
    finally:
        for handle in handles:
            handle.remove()
