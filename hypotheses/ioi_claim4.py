"""IOI claim 4: S-inhibition reads S's position at S2, by V, from heads that detect duplication."""

from ioi_parts import (
    DIFF,
    ENOUGH,
    LITTLE,
    MOST,
    ORDER,
    PROMPTS,
    attention_whoever,
    lacking,
    role,
)

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    Uncond,
    anything,
    attends,
    claim,
    embeddings,
    heads,
    input_stream,
    not_applicable,
    output,
    refuted,
    supported,
)
from scrub.datasets import ioi, repeats

MODEL = "ioi-planted"

DETECTING = ("duplicate token", "induction")
"""Roles of heads that may tell at S2 that S is there again."""
SINGLE = ioi.prompts(1_000, seed=0, kind="abc")
"""`PROMPTS`, but that a third name stands at S2, so that nothing is repeated."""


def detectors(model) -> list[tuple[int, int]]:
    return [head for name in DETECTING for head in model.roles.get(name, ())]


# They read S's position at S2, by V.


@claim(data=PROMPTS, expect=attends(to="s2", share=MOST))
def attend_to_s2(model):
    """From END S-inhibition heads attend to S2, whoever S is."""
    return lacking(model, "S-inhibition") or attention_whoever(model, "S-inhibition", "end")


def inhibition_told(model, sampler, port: str):
    """S-inhibition on another prompt, but for what it reads at S2 by a port."""
    if unfit := lacking(model, "name mover", "S-inhibition"):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    inhibition = movers.child("S-inhibition", Exact(), other=Uncond())
    read = inhibition.child("S2", sampler)
    inhibiting = role(model, "S-inhibition", at="end", into="q")
    return Correspondence(
        {
            logits: output(at="end"),
            movers: role(model, "name mover", at="end"),
            inhibition: inhibiting,
            read: input_stream(inhibiting, by=port, at="s2"),
        }
    )


@claim(data=PROMPTS, metric=DIFF, expect=supported(above=ENOUGH))
def read_order_at_s2_by_v(model):
    """All that they read of the prompt is, by V at S2, which of the names comes first."""
    return inhibition_told(model, Agree("io_is_first"), "v")


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def read_order_at_s2_by_k(model):
    """All that they read of the prompt is, by K at S2, which of the names comes first."""
    return inhibition_told(model, Agree("io_is_first"), "k")


# From heads that detect duplication: which heads write what they read there is a search,
#
#     scrub patch hypotheses/ioi_claim4.py::ioi --to "S-inhibition.v@s2" --at s2
#     scrub find hypotheses/ioi_claim4.py::ioi --by paths
#
# and what it finds is claimed here, by role.


def detected(model, which, sampler):
    """H at S2 → S-inhibition → name movers: only what H writes there is of another prompt."""
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Exact(), other=Exact())
    inhibition = movers.child("S-inhibition", Exact(), other=Exact())
    detection = inhibition.child("detection", sampler)
    return Correspondence(
        {
            logits: output(at="end"),
            movers: role(model, "name mover", at="end"),
            inhibition: role(model, "S-inhibition", at="end", into="q"),
            detection: heads(which, at="s2", into="v"),
        }
    )


def by_detection(model, sampler, *roles: str):
    """The same of heads of these roles; of all that detect duplication if none is given."""
    if unfit := lacking(model, "name mover", "S-inhibition", *roles):
        return unfit
    which = [head for name in roles for head in model.role(name)] or detectors(model)
    if not which:
        return not_applicable(f"it has no {' or '.join(DETECTING)} heads")
    return detected(model, which, sampler)


@claim(data=PROMPTS, metric=DIFF, expect=supported(below=LITTLE))
def without_detection(model):
    """With any prompt's output of the heads that detect duplication, nothing is left."""
    return by_detection(model, Uncond())


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def without_duplicate_token_heads(model):
    """Any prompt's output of those that attend to S1 does as well: the others are enough."""
    return by_detection(model, Uncond(), "duplicate token")


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def without_induction_heads(model):
    """Any prompt's output of those that attend to S1+1 does as well: the others are enough."""
    return by_detection(model, Uncond(), "induction")


@claim(data=PROMPTS, metric=DIFF, expect=supported(above=ENOUGH))
def detection_carries_the_order(model):
    """H → S-inhibition → name movers carries which of the names comes first, and nothing else."""
    return by_detection(model, Agree("io_is_first"))


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def detection_carries_the_name(model):
    """H → S-inhibition → name movers carries S's name, and nothing else."""
    return by_detection(model, Agree("s"))


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def detection_turns_the_name_movers(model):
    """By path patching: with H of the prompt with the other order, the name movers turn to S1."""
    if unfit := lacking(model, "name mover", "S-inhibition"):
        return unfit
    if not (which := detectors(model)):
        return not_applicable(f"it has no {' or '.join(DETECTING)} heads")
    pattern = InterpNode("pattern", Exact(), other=Exact())
    inhibition = pattern.child("S-inhibition", Exact(), other=Exact())
    detection = inhibition.child("detection", Paired(ORDER))
    return Correspondence(
        {
            pattern: role(model, "name mover", "pattern", at="end"),
            inhibition: role(model, "S-inhibition", at="end", into="q"),
            detection: heads(which, at="s2", into="v"),
        }
    )


# Divided by where they attend.


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def duplicate_token_heads_attend_to_s1(model):
    """From S2 duplicate-token heads attend to S1, whoever S is."""
    return lacking(model, "duplicate token") or attention_whoever(model, "duplicate token", "s2")


@claim(data=PROMPTS, expect=attends(to="s1+1", share=MOST))
def induction_heads_attend_behind_s1(model):
    """From S2 induction heads attend to the token behind S1, whoever S is."""
    return lacking(model, "induction") or attention_whoever(model, "induction", "s2")


# "Detecting duplication" said exactly: their outputs are alike given that S is duplicated and where
# the first one stands. So any prompt in which it is, and stands there, will do (the claim above,
# `detection_carries_the_order`, says it of "which of the two"), and none in which it is not.


@claim(data=PROMPTS, metric=DIFF, expect=supported(above=ENOUGH))
def alike_given_where_s1_stands(model):
    """Given that S is duplicated, and where it stands first, their outputs at S2 are alike."""
    return by_detection(model, Agree(("template", "io_is_first")))


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def alike_without_duplication(model):
    """Their outputs at S2 are alike also where the name there is a third one."""
    return by_detection(model, Paired(SINGLE))


# The same heads outside IOI: where a token comes again, they attend to where it was (those for
# duplicate tokens) or to what followed (those for induction: prefix matching). How that depends on
# the distance between the two: `scrub test hypotheses/ioi_claim4.py -k outside --by distance`. That
# induction heads copy what they attend to is about their weights (`scrub look`), and no claim.


def random_tokens(model, *, repeated: bool = True):
    size = model.tokenizer.backend.get_vocab_size(with_added_tokens=False)
    return repeats.sequences(1_000, size, repeated=repeated).make(model.tokenizer)


def common_words(model, *, repeated: bool = True):
    words = [*ioi.OBJECTS, *ioi.PLACES]
    return repeats.sequences(1_000, words, repeated=repeated).make(model.tokenizer)


def repeating(model, name: str, data):
    """A row in which no token comes twice, but that the last is made one that was there before."""
    if unfit := lacking(model, name):
        return unfit
    pattern = InterpNode("pattern", Exact(), other=Paired(data(model, repeated=False)))
    token = pattern.child("token", Exact())
    return Correspondence(
        {
            pattern: role(model, name, "pattern", at="second"),
            token: embeddings(at="second", through=anything),
        }
    )


def names(model, *, repeated: bool = True):
    return repeats.sequences(1_000, ioi.NAMES, repeated=repeated).make(model.tokenizer)


@claim(data=random_tokens, expect=refuted(attends(to="first", share=MOST)))
def duplicate_token_heads_outside_ioi(model):
    """Among random tokens they attend from one that comes again to where it was."""
    return repeating(model, "duplicate token", random_tokens)


@claim(data=common_words, expect=refuted(attends(to="first", share=MOST)))
def duplicate_token_heads_on_words_outside_ioi(model):
    """Among common words they attend from one that comes again to where it was."""
    return repeating(model, "duplicate token", common_words)


@claim(data=names, expect=attends(to="first", share=MOST))
def duplicate_token_heads_on_names_outside_ioi(model):
    """Among names they attend from one that comes again to where it was."""
    return repeating(model, "duplicate token", names)


@claim(data=random_tokens, expect=attends(to="first+1", share=MOST))
def induction_heads_outside_ioi(model):
    """Among random tokens they attend from one that comes again to what followed it."""
    return repeating(model, "induction", random_tokens)


@claim(data=common_words, expect=attends(to="first+1", share=MOST))
def induction_heads_on_words_outside_ioi(model):
    """Among common words they attend from one that comes again to what followed it."""
    return repeating(model, "induction", common_words)


IOI = ioi.behaviour(1_000)
