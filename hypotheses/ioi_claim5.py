"""IOI claim 5: duplicate-token heads compose, by Q or by K, with later induction heads."""

from ioi_parts import PROMPTS, attention, lacking

from scrub import Paired, claim, heads, lowers, not_applicable
from scrub.datasets import ioi
from scrub.metrics import attention as attention_to

MODEL = "ioi-planted"

SINGLE = ioi.prompts(1_000, seed=0, kind="abc")
"""`PROMPTS`, but that a third name stands at S2, so that nothing is repeated."""
OTHER_S = ioi.flip(PROMPTS, "s")
"""`PROMPTS`, but that S has another name. (Behind S1 a prompt of `SINGLE` is the same prompt.)"""
BEHIND_S1 = attention_to(to="s1+1")
"""Attention from S2 to the token behind S1: what induction heads do."""
NOTICEABLY = 0.1
"""A tenth of all attention: the same that counts as nothing in ioi_claim2.py if it is less."""


def earlier(model, name: str, later: str) -> list[tuple[int, int]]:
    """The heads of a role that lie below all heads of another, and may compose with each."""
    lowest = min(layer for layer, _ in model.role(later))
    return [head for head in model.role(name) if head[0] < lowest]


def composing(model, name: str, port: str, at: str, donor):
    """Where induction heads attend from S2 if what these heads tell them is another prompt's."""
    if unfit := lacking(model, "induction", name):
        return unfit
    if not (which := earlier(model, name, "induction")):
        return not_applicable(f"none of its {name} heads lies below its induction heads")
    sites = heads(which, at=at, into=port)
    return attention(model, "induction", "s2", name, Paired(donor), sites)


@claim(data=PROMPTS, metric=BEHIND_S1, expect=lowers(by=NOTICEABLY))
def q_compose(model):
    """Duplicate-token heads at S2 tell the induction heads' queries there that S is repeated."""
    return composing(model, "duplicate token", "q", "s2", SINGLE)


@claim(data=PROMPTS, metric=BEHIND_S1, expect=lowers(by=NOTICEABLY))
def k_compose(model):
    """Duplicate-token heads behind S1 tell the induction heads' keys there what stood before."""
    return composing(model, "duplicate token", "k", "s1+1", OTHER_S)


# What is said to K-compose with induction heads are previous-token heads (Wang et al. 2022, §3.3).


@claim(data=PROMPTS, metric=BEHIND_S1, expect=lowers(by=NOTICEABLY))
def previous_token_heads_k_compose(model):
    """Previous-token heads behind S1 tell the induction heads' keys there that S1 was before it."""
    return composing(model, "previous token", "k", "s1+1", OTHER_S)
