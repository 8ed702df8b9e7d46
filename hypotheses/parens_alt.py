"""The paren balancer: claims 3b and 4 with ties left to rounding.

As in `parens.py`, but the weights of a position are made to add up to 1 first, the fraction is the
sum of those of the `(`, and that is compared with 1/2 in float32, as it comes. Where the
parentheses before a position and those from it on are each evenly split, it is 1/2 and rounding
decides.
"""

from parens import (
    ENOUGH,
    LOSS,
    STRINGS,
    at_first_paren,
    counting,
    fraction_by_phi,
    horizon_by_position,
    tree,
)

from scrub import claim, supported

MODEL = "parens"


def both(model, evidence: str):
    return tree(
        counting("count_open", at_first_paren(fraction_by_phi(model))),
        horizon_by_position(evidence),
    )


@claim(data=STRINGS, metric=LOSS, expect=supported(above=ENOUGH))
def exp_3b_alt(model):
    """As 3b, with ties left to rounding in float32."""
    return tree(counting("count_open"), horizon_by_position("h_alt"))


@claim(data=STRINGS, metric=LOSS, expect=supported(above=ENOUGH))
def exp_4_alt(model):
    """As 4, with ties left to rounding in float32."""
    return both(model, "h_alt")


# "Normalised first, then everything in float32" may also mean that weights are computed in float64
# and only the sums in float32. Other ties fall on the other side then.


@claim(data=STRINGS, metric=LOSS, expect=supported(above=ENOUGH))
def exp_3b_alt_sums(model):
    """As 3b, with ties left to rounding in sums of float32 alone."""
    return tree(counting("count_open"), horizon_by_position("h_alt_sums"))


@claim(data=STRINGS, metric=LOSS, expect=supported(above=ENOUGH))
def exp_4_alt_sums(model):
    """As 4, with ties left to rounding in sums of float32 alone."""
    return both(model, "h_alt_sums")
