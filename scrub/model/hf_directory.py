"""Models from a directory in Hugging Face format: read directly, or through a TransformerBridge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from scrub.model.bridge import boot, graph_of
from scrub.model.config_values import Config
from scrub.model.direct import places, read_weights
from scrub.model.families import shape_of
from scrub.model.graph import Graph
from scrub.model.remembered import files_hash, is_remembered, is_shipped, key_of, remember
from scrub.model.transformer import transformer

CHECKING = "checking the weights against TransformerLens (once)"


def hugging_face_graph(
    directory: Path,
    config: Config,
    weights_sha256: str,
    *,
    dtype: torch.dtype,
    device: str,
    recheck: bool,
    says: Callable[[str], None],
) -> Graph:
    """The graph of such a directory, which does what a bridge of it does on a probe batch.

    Weights that scrub knows by their names are read without the bridge, which takes seconds to
    boot: it is needed once, for the check, which is then remembered. All others come from the
    bridge, and are checked each time.

    Args:
        recheck: make the check again.
        says: is told when a check takes its time.

    Raises:
        UserError: the model cannot be read, or its weights are not those of its configuration, or
            the graph disagrees with the bridge.
    """
    shape = shape_of(config)
    where = places(directory, config, shape)
    if where is None:
        return graph_of(boot(directory, dtype=dtype, device=device))
    files = files_hash(directory, weights_sha256)
    key = key_of(files, dtype, device)
    if not recheck and (is_shipped(files, dtype, device) or is_remembered(key)):
        return transformer(read_weights(where, config, shape, dtype=dtype, device=device))
    says(CHECKING)
    bridge = boot(directory, dtype=dtype, device=device)
    read = read_weights(where, config, shape, dtype=dtype, device=device)
    graph = graph_of(bridge, read)
    remember(key)
    return graph
