"""The RGB game: localisation heads point a colour extractor at the foreign patch, which it reads.

An image of blue patches but for one, and the question which color is the odd one out. The belief:
at END, localisation heads find the foreign patch and write its place; that reaches the query of a
colour extractor head, which attends to the patch, reads its colour, and writes it to the answer.
One claim says that this is all; four variants of it are wrong; and four predictions say what
restoring each part does in an image whose foreign patch was repainted or removed.
"""

from scrub import (
    Agree,
    Correspondence,
    Exact,
    InterpNode,
    Paired,
    Uncond,
    answers,
    anything,
    claim,
    heads,
    mlps,
    not_applicable,
    output,
    raises,
    refuted,
    supported,
    unchanged,
)
from scrub.datasets import rgb
from scrub.metrics import logit, logit_diff

MODEL = "rgb-planted"

GAME = rgb.game(1_000, seed=0)
REPAINTED = rgb.recoloured(GAME)
"""The foreign patch has another colour, "new": the answer is that one."""
REMOVED = rgb.removed(GAME)
"""The foreign patch is blue like all others: there is none."""

DIFF = logit_diff("foreign", "new")
"""Positive where the model prefers the colour that is there to one that is nowhere in the image."""

# Bounds, written before the first run. What is asked of the whole, 0.7, is what is asked of IOI's
# (ioi_claim3.py). A carrier that agrees with the colour only by chance, one of five, recovers about
# 0.2. Effects are in logits: 2 makes the odds of an answer 7 times what they were, which is more
# than taste; 1, not even 3 times, is too little to turn an answer that is clear.
ENOUGH = 0.7
MARKEDLY = 2.0
LITTLE = 1.0
MOST = 0.5  # of the images: that answer comes more often than all others together

LOCALISATION, EXTRACTOR = "localisation", "colour extractor"


def parts(model, **path):
    """The colour extractor at END, and the localisation heads at END."""
    return [heads(model.role(role), at="end", **path) for role in (EXTRACTOR, LOCALISATION)]


def lacking(model):
    missing = [role for role in (LOCALISATION, EXTRACTOR) if role not in model.roles]
    return not_applicable(f"it has no {' or '.join(missing)} heads") if missing else None


# The belief: the place by the query, the colour by the value at the foreign patch; all else from
# other images. It is about heads: MLPs may pass on what they say. The extractor runs on an image
# whose foreign patch stands in the same place, since that is where the value is put; but its query
# comes from any image, but for what localisation says.


def scrubbed(model, told="place", read="patch"):
    """The whole belief, with what localisation tells and where the extractor reads left open."""
    extractor, localisation = parts(model, through=mlps)
    logits = InterpNode("logits", Exact(), other=Uncond())
    colour = logits.child("colour extractor", Agree("foreign"), other=Agree("place"))
    query = colour.child("query", Agree("place"), other=Uncond())
    return Correspondence(
        {
            logits: output(at="end"),
            colour: extractor,
            query: heads(model.role(EXTRACTOR), "q", at="end"),
            query.child("localisation", Agree(told)): localisation,
            colour.child("value", Agree("foreign")): heads(model.role(EXTRACTOR), "v", at=read),
        }
    )


@claim(data=GAME, metric=DIFF, expect=supported(above=ENOUGH))
def place_by_query_colour_by_value(model):
    """The extractor is told the place and reads the colour there; all else may be any image's."""
    return lacking(model) or scrubbed(model)


@claim(data=GAME, metric=DIFF, expect=refuted(below=ENOUGH))
def localisation_tells_the_colour(model):
    """Wrong: localisation heads write the foreign patch's colour, not its place."""
    return lacking(model) or scrubbed(model, told="foreign")


@claim(data=GAME, metric=DIFF, expect=refuted(below=ENOUGH))
def extractor_reads_the_neighbour(model):
    """Wrong: the extractor reads the colour at the patch to the right of the foreign one."""
    return lacking(model) or scrubbed(model, read="right")


@claim(data=GAME, metric=DIFF, expect=refuted(below=ENOUGH))
def pattern_depends_on_colour(model):
    """Wrong: where the extractor looks depends on the foreign patch's colour alone."""
    if unfit := lacking(model):
        return unfit
    extractor, _ = parts(model)
    logits = InterpNode("logits", Exact(), other=Exact())
    colour = logits.child("colour extractor", Exact(), other=Exact())
    pattern = colour.child("pattern", Agree("foreign"))
    where = heads(model.role(EXTRACTOR), "pattern", at="end")
    return Correspondence({logits: output(at="end"), colour: extractor, pattern: where})


@claim(data=GAME, metric=DIFF, expect=refuted(below=ENOUGH))
def colour_by_the_background(model):
    """Wrong: the colour comes by all but the foreign patch, of which any image's value will do."""
    if unfit := lacking(model):
        return unfit
    extractor, _ = parts(model)
    logits = InterpNode("logits", Exact(), other=Exact())
    colour = logits.child("colour extractor", Exact(), other=Exact())
    value = colour.child("value", Uncond())
    read = heads(model.role(EXTRACTOR), "v", at="patch")
    return Correspondence({logits: output(at="end"), colour: extractor, value: read})


# Four predictions. The model runs on the image with its foreign patch repainted or removed, and one
# part is restored to what it is on the image as it was, with all that follows from it.


def restored(model, part, corrupted):
    """A part of the model as it is on the reference, in a run on its corrupted image."""
    if unfit := lacking(model):
        return unfit
    extractor, localisation = parts(model, through=anything)
    pattern = heads(model.role(EXTRACTOR), "pattern", at="end", through=anything)
    sites = {"output": extractor, "pattern": pattern, "localisation": localisation}
    logits = InterpNode("logits", Exact(), other=Paired(corrupted))
    return Correspondence({logits: output(at="end"), logits.child(part, Exact()): sites[part]})


@claim(data=GAME, metric=[logit("foreign"), DIFF], expect=raises(by=MARKEDLY))
def prediction_1_repainted(model):
    """The extractor's output, restored, brings the old colour back where the patch is repainted."""
    return restored(model, "output", REPAINTED)


@claim(data=GAME, metric=[logit("foreign"), DIFF], expect=raises(by=MARKEDLY))
def prediction_1_removed(model):
    """The extractor's output, restored, brings the colour back where the patch is removed."""
    return restored(model, "output", REMOVED)


@claim(data=GAME, metric=DIFF, expect=answers("new", share=MOST))
def prediction_2_repainted(model):
    """Its attention alone, restored, finds the colour that is there now: the new one."""
    return restored(model, "pattern", REPAINTED)


@claim(data=GAME, metric=DIFF, expect=answers("background", share=MOST))
def prediction_2_removed(model):
    """Its attention alone, restored, finds the colour that is there now: the background's."""
    return restored(model, "pattern", REMOVED)


@claim(data=GAME, metric=logit("foreign"), expect=refuted(raises(by=LITTLE)))
def prediction_3_not_the_colour(model):
    """Localisation, restored where the patch is removed, brings the colour back."""
    return restored(model, "localisation", REMOVED)


@claim(data=GAME, metric=logit("background"), expect=raises(by=MARKEDLY))
def prediction_3_but_the_background(model):
    """Localisation, restored where the patch is removed, points at what is there: background."""
    return restored(model, "localisation", REMOVED)


@claim(data=GAME, metric=DIFF, expect=unchanged(within=LITTLE))
def prediction_4_nothing_changes(model):
    """Localisation, restored where the patch is repainted, points where it pointed anyhow."""
    return restored(model, "localisation", REPAINTED)


@claim(data=GAME, metric=DIFF, expect=answers("new", share=MOST))
def prediction_4_answer(model):
    """Localisation, restored where the patch is repainted, leaves the answer: the new colour."""
    return restored(model, "localisation", REPAINTED)


# The heads without being told: the same patches for every head of the model, as sweeps. They have
# other images than the claims, so that heads that are chosen by them can be tested by these.
#
#     scrub patch hypotheses/rgb_game.py::output_of_each_head --at end --through anything
#     scrub patch hypotheses/rgb_game.py::pointing_of_each_head --at end --through anything

OUTPUTS = rgb.behaviour(1_000, metric=[logit("foreign"), DIFF], seed=1, name="output_of_each_head")
"""Prediction 1: which heads, restored, bring back the colour that was repainted?"""
POINTING = rgb.behaviour(
    1_000,
    corrupt="removed",
    metric=[logit_diff("background", "foreign"), logit("background"), logit("foreign")],
    seed=1,
    name="pointing_of_each_head",
)
"""Prediction 3: which heads, restored where the patch is removed, raise the background's colour and
not the one that was there? (What brings that one back lowers the difference.)"""
