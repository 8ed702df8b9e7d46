"""The reference evaluator: what a correspondence means, computed as slowly as it is defined.

The engine is held against this package. They share nothing but the hypothesis' values and the
draws: ports, paths and positions are resolved here once more, by a recursion on the modules of a
TransformerBridge (`evaluate`) or on the sites of a graph (`evaluate_graph`). A site is evaluated
once for every path that leads to it, and nothing is remembered between two paths but what is plain.

The words: a *node* is evaluated in its *frame* (docs/semantics.md, Frames): a leaf's own inputs, an
internal node's other inputs. Its children's values *land* in that frame. A *path* is one route of a
child on its way from the parent's sites to the child's; it is *open* until it arrives. A *writer*
adds to the residual stream (embeddings, heads, MLPs); heads, MLPs and the logits are *components*,
which read the stream through their *ports*.
"""

from scrub.reference.graph import evaluate_graph
from scrub.reference.pictures import Pictures
from scrub.reference.transformer import evaluate

__all__ = ["Pictures", "evaluate", "evaluate_graph"]
