"""Moving pieces of IOI: S-inhibition runs where the IO stands elsewhere; where do name movers look?

Each pair of prompts differs in one thing, where the IO stands: by order, by its distance to END, or
by its place from the start. Only S-inhibition, on its way into the name movers' queries, is run on
the other prompt of the pair. If that is what it tells them, they attend to where the IO stands
*there*, whatever stands there in their own prompt.
"""

from collections.abc import Callable

from attrs import evolve
from ioi_parts import MOST, ORDER, PROMPTS, attention, lacking, role

from scrub import Paired, attends, claim, refuted
from scrub.datasets import ioi

MODEL = "ioi-planted"

PAUSE = "on a warm day"
LATER = ioi.prompts(1_000, seed=0, pause=PAUSE)
"""`PROMPTS`, but that both names stand four tokens further before END."""
PREFIXED = ioi.prompts(1_000, seed=0, prefixes=12)
"""`PROMPTS`, but that most are preceded by some sentences, by which all of a prompt moves."""


def where(recipe, other, frame: str) -> Callable:
    """Data: a recipe's prompts, with the position at which the IO stands in their other copies.

    As far from the `start` (the first token) or from the `end` as there.
    """

    def made(model):
        data, moved = recipe.make(model.tokenizer), other.make(model.tokenizer)
        place = moved.positions["io"]
        if frame == "end":
            place = place - moved.positions["end"] + data.positions["end"]
        inside = (place >= 0) & (place <= data.positions["end"])
        assert inside.all(), "a pause and a prefix make room"
        return evolve(data, positions={**data.positions, "moved": place})

    return made


def told_of(model, donor):
    """The name movers' pattern, with S-inhibition of another prompt in their queries."""
    if unfit := lacking(model, "name mover", "S-inhibition"):
        return unfit
    sites = role(model, "S-inhibition", at="end", into="q")
    return attention(model, "name mover", "end", "S-inhibition", Paired(donor), sites)


# The order: the IO stands where S1 did. A model in which S-inhibition tells which of the names
# comes first moves with this, and with neither of the others.


@claim(data=PROMPTS, expect=attends(to="s1", share=MOST))
def to_the_other_name(model):
    """S-inhibition ran where the IO is the other of the two; name movers attend to the other."""
    return told_of(model, ORDER)


# The distance: the IO stands four tokens nearer to END.

NEARER = where(LATER, PROMPTS, "end")


@claim(data=NEARER, expect=refuted(attends(to="moved", share=MOST)))
def nearer_to_end(model):
    """S-inhibition ran where the IO stands four tokens nearer to END; name movers attend there."""
    return told_of(model, PROMPTS)


@claim(data=NEARER, expect=attends(to="io", share=MOST))
def whatever_the_distance(model):
    """S-inhibition ran where the IO stands four tokens nearer to END; name movers do not move."""
    return told_of(model, PROMPTS)


# The place from the start: the IO stands up to twelve tokens before.

EARLIER = where(PREFIXED, PROMPTS, "start")


@claim(data=EARLIER, expect=refuted(attends(to="moved", share=MOST)))
def earlier_from_the_start(model):
    """S-inhibition ran where the IO stands up to 12 tokens earlier; name movers attend there."""
    return told_of(model, PROMPTS)


@claim(data=EARLIER, expect=attends(to="io", share=MOST))
def whatever_comes_before(model):
    """S-inhibition ran where the IO stands up to 12 tokens earlier; name movers do not move."""
    return told_of(model, PROMPTS)
