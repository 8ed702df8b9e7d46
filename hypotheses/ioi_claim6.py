"""IOI claim 6: the name movers are the only heads that can make the logit difference positive.

To remove a head is to let it give what it gives on average in the prompt's template (mean ablation,
as Wang et al. 2022 do). Removing all name movers always turns the difference, that is takes from it
what makes it positive; removing any other head or group never does. All is said in shares of what
the model has above an unrelated prompt, of which the difference is about 0, and beside it in shares
of prompts in which the IO is preferred.
"""

import numpy as np
from ioi_parts import DIFF, LITTLE, PROMPTS, lacking, role

from scrub import (
    Correspondence,
    Exact,
    InterpNode,
    Mean,
    anything,
    claim,
    heads,
    none,
    output,
    raises,
    refuted,
    supported,
)
from scrub.datasets import ioi
from scrub.metrics import custom

MODEL = "ioi-planted"


def io_is_preferred(logits, references):
    """1 where the IO's logit is larger than S's, else 0."""
    each = np.arange(len(references))
    io, s = (references.data.label(name)[references.index] for name in ("io", "s"))
    return (logits[each, io] > logits[each, s]).double()


METRICS = [DIFF, custom(io_is_preferred, higher_is_better=True)]

STAYS = 0.5
"""The difference stays well above 0: at least half of it is left."""


def removed(model, which, through):
    """The model as it is, but that these heads give at END what they give there on average."""
    logits = InterpNode("logits", Exact(), other=Exact())
    gone = logits.child("removed", Mean("template"))
    return Correspondence({logits: output(at="end"), gone: heads(which, at="end", through=through)})


def others(model) -> list[tuple[int, int]]:
    """All heads but the name movers."""
    return [head for head in model.all_heads() if head not in model.role("name mover")]


# Removing all name movers turns it.


@claim(data=PROMPTS, metric=METRICS, expect=supported(below=LITTLE))
def without_name_movers(model):
    """Without the name movers nothing is left of the logit difference."""
    return lacking(model, "name mover") or removed(model, model.role("name mover"), anything)


# Removing any other head or group never does: as writers to the logits, which is what can *make*
# the difference. All others at once is the hardest of these tests: no head and no group of them
# is needed if all may go. (MLPs stay as they are.)


@claim(data=PROMPTS, metric=METRICS, expect=supported(above=STAYS))
def without_what_others_write(model):
    """Without what all other heads write directly to the logits the difference stays."""
    return lacking(model, "name mover") or removed(model, others(model), none)


@claim(data=PROMPTS, metric=METRICS, expect=supported(below=LITTLE))
def without_what_name_movers_write(model):
    """Without what the name movers write directly to the logits nothing is left."""
    return lacking(model, "name mover") or removed(model, model.role("name mover"), none)


# Taken at its word, with all that follows from it, the sentence is wrong: name movers copy the name
# that they are pointed at, so the difference is as little made without the heads that point.


@claim(data=PROMPTS, metric=METRICS, expect=refuted(below=STAYS))
def without_s_inhibition(model):
    """Without the S-inhibition heads, and what follows from them, the difference stays."""
    return lacking(model, "S-inhibition") or removed(model, model.role("S-inhibition"), anything)


@claim(data=PROMPTS, metric=METRICS, expect=supported(above=STAYS))
def without_negative_name_movers(model):
    """Without the negative name movers the difference stays."""
    name = "negative name mover"
    return lacking(model, name) or removed(model, model.role(name), anything)


# Heads one by one are a sweep, not a claim each, since a file does not know how many there are:
#
#     scrub patch hypotheses/ioi_claim6.py::removing --corrupt --at end --through anything
#
# Its lowest line is how far one head alone can bring the difference down.

REMOVING = ioi.behaviour(1_000, corrupt=Mean("template"), name="removing")


# Backup heads: what they write more if the name movers are removed before them.


@claim(data=PROMPTS, metric=DIFF, expect=raises(by=0.1))
def backup_heads_step_in(model):
    """Heads that back up the name movers make more of the difference once these are removed."""
    name = "backup name mover"
    if unfit := lacking(model, "name mover", name):
        return unfit
    logits = InterpNode("logits", Exact(), other=Exact())
    backup = logits.child("backup", Exact(), other=Exact())
    gone = backup.child("removed", Mean("template"))
    return Correspondence(
        {
            logits: output(at="end"),
            backup: role(model, name, at="end"),
            gone: heads(model.role("name mover"), at="end"),
        }
    )
