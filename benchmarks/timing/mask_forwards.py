"""AutoCircuit's way to run circuits: one forward for each, every reader patched by a mask.

As UFO-101/auto-circuit does it (`PatchWrapper` in auto_circuit/utils/patch_wrapper.py,
`run_circuits` in auto_circuit/prune.py): a forward on the clean rows keeps the outputs of all
sources in one tensor, and adds to every reader's input mask · (corrupted outputs − outputs so far),
where the mask is 1 for edges that are not in the circuit. Written anew in plain PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from attrs import frozen
from torch import Tensor

from scrub.hypothesis.circuit import Edge
from timing.plain_model import PlainModel, Reader, Writer, sources_of


@frozen(eq=False)
class Patched:
    """Rows, the outputs of all sources on the corrupted ones and on the clean ones.

    Attributes:
        clean, corrupted: [sources, rows, width, d_model].
        streams: the clean stream before each layer.
    """

    model: PlainModel
    tokens: Tensor
    ends: Tensor
    clean: Tensor
    corrupted: Tensor
    streams: tuple[Tensor, ...]

    @staticmethod
    def of(model: PlainModel, tokens: Tensor, corrupted: Tensor, ends: Tensor) -> Patched:
        """Run both sets of rows once."""
        clean, streams = _sources(model, tokens)
        return Patched(model, tokens, ends, clean, _sources(model, corrupted)[0], streams)

    def logits(self, masks: Mapping[str, Tensor], layer: int = 0) -> Tensor:
        """Logits of the circuit that leaves out the edges of these masks, [rows, outputs].

        Args:
            masks: by reader's point: 1 where an edge is left out, [heads or 1, sources before].
            layer: the first that differs from the clean run: the forward starts there, as in
                AutoCircuit's ACDC (auto_circuit/prune_algos/ACDC.py).
        """
        outputs = self.clean.clone() if layer else torch.zeros_like(self.clean)

        def read(reader: Reader, value: Tensor) -> Tensor:
            difference = (self.corrupted - outputs)[: reader.sources]
            change = torch.einsum("hs,snpd->nphd", masks[reader.point], difference)
            return value + (change if reader.of_heads else change[:, :, 0])

        def write(writer: Writer, value: Tensor) -> None:
            _keep(outputs, writer, value)

        handles = self.model.hooked(read, write)
        try:
            with torch.inference_mode():
                if layer:
                    return self.model.onward(self.streams[layer], self.ends, layer)
                return self.model(self.tokens, self.ends)
        finally:
            for handle in handles:
                handle.remove()


def masks_of(model: PlainModel, circuit: Sequence[Edge]) -> dict[str, Tensor]:
    """1 for every edge that is not in the circuit, by reader's point."""
    masks = {
        reader.point: torch.ones(len(reader.cells), reader.sources) for reader in model.readers()
    }
    for (point, number), sources in sources_of(model, circuit).items():
        masks[point][number, sources] = 0
    return masks


def _sources(model: PlainModel, tokens: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The outputs of all sources, and the streams before each layer."""
    width = model.weights.embedding.shape[1]
    outputs = torch.zeros(model.sources, *tokens.shape, width)
    streams = []
    handles = model.hooked(
        lambda reader, value: None, lambda writer, value: _keep(outputs, writer, value)
    )
    with torch.inference_mode():
        x = model.embedded(tokens)
        for layer in range(model.layers):
            streams.append(x)
            x = model.block(x, layer)
    for handle in handles:
        handle.remove()
    return outputs, tuple(streams)


def _keep(outputs: Tensor, writer: Writer, value: Tensor) -> None:
    several = value.movedim(2, 0) if writer.of_heads else value[None]
    outputs[writer.first : writer.first + len(several)] = several
