"""IOI claim 1: name movers copy the IO's name to the output: they attend to it, their OV copies."""

from ioi_parts import DIFF, ENOUGH, MOST, OTHER_IO, PROMPTS, attention_whoever, lacking, role

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    answers,
    attends,
    claim,
    input_stream,
    output,
    refuted,
    supported,
)

MODEL = "ioi-planted"


@claim(data=PROMPTS, expect=attends(to="io", share=MOST))
def attend_to_the_io(model):
    """From END name movers attend to the IO, whoever it is."""
    return lacking(model, "name mover") or attention_whoever(model, "name mover", "end")


@claim(data=PROMPTS, expect=answers("io", share=MOST))
def copy_what_stands_there(model):
    """The name that their values read at the IO is answered, though it stands nowhere else."""
    if unfit := lacking(model, "name mover"):
        return unfit
    other = Paired(OTHER_IO)  # a prompt about somebody else
    logits = InterpNode("logits", Exact(), other=other)
    movers = logits.child("name movers", Exact(), other=other)
    copying = role(model, "name mover", at="end")
    return Correspondence(
        {
            logits: output(at="end"),
            movers: copying,
            movers.child("name", Exact()): input_stream(copying, by="v", at="io"),
        }
    )


def carrying(model, feature: str):
    """What name movers write at END says only this of the prompt."""
    if unfit := lacking(model, "name mover"):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    movers = logits.child("name movers", Agree(feature))
    return Correspondence({logits: output(at="end"), movers: role(model, "name mover", at="end")})


@claim(data=PROMPTS, metric=DIFF, expect=supported(above=ENOUGH))
def carry_the_name_of_the_io(model):
    """Name movers write the IO's name to the output, and nothing else."""
    return carrying(model, "io")


@claim(data=PROMPTS, metric=DIFF, expect=refuted(below=ENOUGH))
def carry_its_place(model):
    """Name movers write which of the two names comes first, not whose it is."""
    return carrying(model, "io_is_first")


# That the OV matrices by themselves map a name to its own logit (Wang et al. 2022: for names, above
# 95% of the time among the five highest) is about weights: nothing is swapped, so it is no claim.
# `scrub look` observes it.
