"""What type checkers refuse: pyright reads this file with the package, and nobody runs it.

A line that is marked must be refused, and no other line: a mark that is not needed is an error.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error

import scrub
from scrub import Correspondence, Exact, InterpNode, claim, heads, mlp, observe, output, site
from scrub.datasets import (
    ioi,
    ioj,  # pyright: ignore[reportAttributeAccessIssue]  # noqa: F401
)
from scrub.metrics import logit_diff

heads([(9, 9)], at="end", into="q", through="mlps")
heads(["9.9", "10.0"], "q")
heads([(9, 9)], att="end")  # pyright: ignore[reportArgumentType]
heads([(9, 9)], through="mlp")  # pyright: ignore[reportArgumentType]
heads([9.9])  # pyright: ignore[reportArgumentType]
mlp(1, 2, at=["end", 3], through=scrub.anything)
mlp(1, position="end")  # pyright: ignore[reportArgumentType]
output(to="end")  # pyright: ignore[reportArgumentType]
site("embed", at=1.5)  # pyright: ignore[reportArgumentType]
Exact("io")  # pyright: ignore[reportArgumentType]


@claim(data=ioi.prompts(100), metric=logit_diff("io", "s"), expected=None)  # pyright: ignore[reportCallIssue]
def wrong(model):
    return Correspondence({InterpNode("logits", Exact()): output()})


@claim(data=ioi.prompts(100), metric=logit_diff("io", "s"))
def right(model):
    return Correspondence({InterpNode("logits", Exact()): output()})


ioi.promts(100)  # pyright: ignore[reportAttributeAccessIssue]
result = scrub.run(right, samples=10, max_memory="1GB", dtype="float64", diagnose=False)
scrub.run(right, sample=10)  # pyright: ignore[reportCallIssue]
scrub.run(right, memory="1GB")  # pyright: ignore[reportCallIssue]
scrub.run([right], diagnosed=True)  # pyright: ignore[reportCallIssue]
scrub.explain(right, row=1)  # pyright: ignore[reportCallIssue]
scrub.paths(right, seeds=1)  # pyright: ignore[reportCallIssue]
behaviour = ioi.behaviour(100)
scrub.patch(behaviour, to="name mover.q@end", senders=["9.9"], through="anything", at="each")
scrub.patch(behaviour, sender="heads")  # pyright: ignore[reportCallIssue]
scrub.patch(behaviour, approximate="integrate")  # pyright: ignore[reportArgumentType]
links = scrub.find(behaviour, keep="9.9", smallest=0.05, samples=100).links
scrub.find(behaviour, by="pruning", keeps=0.9, order="least", ablate="mean")
scrub.find(behaviour, by="pruning", threshold=0.1)  # pyright: ignore[reportArgumentType, reportCallIssue]
scrub.find(behaviour, by="prune")  # pyright: ignore[reportArgumentType, reportCallIssue]
scrub.edit_report("gpt2", "gpt2", [], model="gpt2")  # pyright: ignore[reportCallIssue]
observe.attention(behaviour, of="9.9", seed=1)
observe.attention(behaviour, head="9.9")  # pyright: ignore[reportCallIssue]
observe.ov("gpt2", of="9.9", model="gpt2")  # pyright: ignore[reportCallIssue]
