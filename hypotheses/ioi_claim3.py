"""IOI claim 3: S-inhibition heads Q-compose with the name movers. What do they tell them?"""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Uncond,
    claim,
    heads,
    input_stream,
    output,
    refuted,
    supported,
)
from scrub.datasets import ioi
from scrub.metrics import logit_diff

MODEL = "ioi-planted"
PROMPTS = ioi.prompts(1_000, order="mixed", seed=0, prefixes=8)
METRIC = logit_diff("io", "s")

# Wang et al. 2022 find that the S-inhibition signal is at least 88% position and little token
# value, and that their circuit keeps 87% of the logit difference. What we ask for, 0.7, lies below
# both by the room that a harsher test needs (they ablate by means, we resample), and above what a
# carrier recovers that agrees with the true one only by chance (about 0.2 in these prompts).
ENOUGH = 0.7


def via_s_inhibition(model, signal: str) -> Correspondence:
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    inhibition = movers.child("S-inhibition", Agree(signal))
    return Correspondence(
        {
            logits: output(at="end"),
            movers: heads(model.role("name mover"), at="end"),
            inhibition: heads(model.role("S-inhibition"), at="end", into="q"),
        }
    )


@claim(data=PROMPTS, metric=METRIC, expect=refuted(below=ENOUGH))
def by_value(model):
    """Only the value of the IO name reaches the name movers' queries from S-inhibition."""
    return via_s_inhibition(model, "io")


@claim(data=PROMPTS, metric=METRIC, expect=supported(above=ENOUGH))
def by_position(model):
    """Only which of the two names comes first reaches the name movers' queries."""
    return via_s_inhibition(model, "io_is_first")


# The prefixes move both names alike, and templates differ in length: a donor with the IO at the
# same place has it first or second about as often, so that (c) and (d) are told from (b).


@claim(data=PROMPTS, metric=METRIC, expect=refuted(below=ENOUGH))
def by_absolute_position(model):
    """Only the absolute position of the IO reaches the name movers' queries."""
    return via_s_inhibition(model, "io_position")


@claim(data=PROMPTS, metric=METRIC, expect=refuted(below=ENOUGH))
def by_distance_to_end(model):
    """Only the distance from the IO to END reaches the name movers' queries."""
    return via_s_inhibition(model, "io_to_end")


@claim(data=PROMPTS, metric=METRIC, expect=supported(above=ENOUGH))
def whole_circuit(model):
    """Duplicate token → S-inhibition → name mover is all: the rest may come from any prompt."""
    logits = InterpNode("logits", Exact(), other=Uncond())
    movers = logits.child("name movers", Exact(), other=Uncond())
    names = movers.child("names", Exact())
    inhibition = movers.child("S-inhibition", Agree("io_is_first"), other=Uncond())
    duplicate = inhibition.child("duplicate token", Agree("io_is_first"))
    movers_heads = heads(model.role("name mover"), at="end")
    return Correspondence(
        {
            logits: output(at="end"),
            movers: movers_heads,
            names: input_stream(movers_heads, by=("k", "v"), at=("io", "s1")),
            inhibition: heads(model.role("S-inhibition"), at="end", into="q"),
            duplicate: heads(model.role("duplicate token"), at="s2", into="v"),
        }
    )
