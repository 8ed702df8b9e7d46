"""IOI claim 2: name movers attend to the IO, but do not rely on the value of its key.

Inasmuch as the keys are computed on a name at the same place, attention stays high, whatever the
name. What makes the difference is the query.
"""

from ioi_parts import (
    BOTH,
    DIFF,
    ENOUGH,
    MOST,
    ORDER,
    OTHER_IO,
    PROMPTS,
    attention,
    lacking,
    role,
)

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    attends,
    claim,
    input_stream,
    metrics,
    output,
    refuted,
    supported,
    unchanged,
)
from scrub.datasets import ioi

MODEL = "ioi-planted"

NEARLY = 0.1
"""A tenth of all attention: less than what would move the answer, more than what rounding or a rare
name does."""


def with_keys(model, sampler, at):
    """Everything that the name movers' keys read at these positions comes from another prompt."""
    if unfit := lacking(model, "name mover"):
        return unfit
    keys = input_stream(role(model, "name mover", at="end"), by="k", at=at)
    return attention(model, "name mover", "end", "keys", sampler, keys)


@claim(data=PROMPTS, expect=attends(to="io", share=MOST))
def attend_by_the_key_of_any_name(model):
    """With the key of a random name at the IO's place they attend to it all the same."""
    return with_keys(model, Paired(OTHER_IO), "io")


@claim(data=PROMPTS, metric=metrics.attention(to="io"), expect=unchanged(within=NEARLY))
def the_name_in_the_key_changes_nothing(model):
    """A random name's key at the IO's place leaves attention to the IO as it is."""
    return with_keys(model, Paired(OTHER_IO), "io")


@claim(data=PROMPTS, metric=DIFF, expect=supported(above=ENOUGH))
def keys_by_place(model):
    """Of both names the keys tell their place in the prompt, and nothing else."""
    if unfit := lacking(model, "name mover"):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    keys = movers.child("keys", Agree(("template", "io_is_first")))
    moving = role(model, "name mover", at="end")
    return Correspondence(
        {
            logits: output(at="end"),
            movers: moving,
            keys: input_stream(moving, by="k", at=("io", "s1", "s2")),
        }
    )


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def keys_of_the_other_place(model):
    """With each name's key from where the other stands they attend to the other: place matters."""
    return with_keys(model, Paired(ORDER), ("io", "s1"))


# What makes the difference is Q.


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def queries_make_the_difference(model):
    """With the query of the prompt in which IO and S trade roles, they attend to S1."""
    if unfit := lacking(model, "name mover"):
        return unfit
    query = input_stream(role(model, "name mover", at="end"), by="q", at="end")
    return attention(model, "name mover", "end", "query", Paired(BOTH), query)


def composing(model, group: str):
    """Only what a group of heads writes into their queries is of the prompt with swapped roles."""
    if unfit := lacking(model, "name mover", group):
        return unfit
    sites = role(model, group, at="end", into="q")
    return attention(model, "name mover", "end", group, Paired(BOTH), sites)


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def s_inhibition_q_composes(model):
    """It is the S-inhibition heads that Q-compose with them: by these alone they turn to S1."""
    return composing(model, "S-inhibition")


@claim(data=PROMPTS, expect=refuted(attends(to="s1", share=MOST)))
def duplicate_token_heads_q_compose(model):
    """The duplicate-token heads do it at END, directly."""
    return composing(model, "duplicate token")


# Which heads Q-compose, found and not given, with the name movers as a group and each alone, is a
# search, and its outcome is no sentence that one could have been wrong about:
#
#     scrub patch hypotheses/ioi_claim2.py::ioi --to "name mover.attention:io@end" --at end
#     scrub patch hypotheses/ioi_claim2.py::ioi --to "3.0.attention:io@end" --at end
#     scrub find hypotheses/ioi_claim2.py::ioi --by paths

IOI = ioi.behaviour(1_000)
