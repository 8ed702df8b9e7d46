"""What a score hides, found by scrubbing variants of a claim.

A variant is the claim's tree with one thing changed: pure functions from trees to trees. It is
scrubbed on the claim's own data and sample numbers; draws are keyed by the nodes' names, so that
nodes that keep their names keep their draws, and differences are paired by reference.
"""
