"""Samplers: which donors may stand in for a reference.

A sampler is one small frozen class with one method, `draw`. It sees row numbers, never tensors, and
gets its randomness as an argument, so that a draw depends on nothing but (seed, node, sample).
Donors are rows of the dataset that the reference belongs to, unless a sampler says otherwise.
"""

from scrub.samplers.describe import describe_sampler
from scrub.samplers.fixed import Fixed, Paired
from scrub.samplers.generate import Generate
from scrub.samplers.generated_input import Input
from scrub.samplers.pools import Pool, Together
from scrub.samplers.protocol import (
    CLAIMED,
    EVERY,
    Randomness,
    Sampler,
    differ_of,
    features_of,
    is_own,
    laws_of,
    source_of,
)
from scrub.samplers.rows import Agree, Differ, Exact, Uncond, Weighted
from scrub.samplers.virtual import Constant, Mean, Steer, Zero, is_virtual

__all__ = [
    "CLAIMED",
    "EVERY",
    "Agree",
    "Constant",
    "Differ",
    "Exact",
    "Fixed",
    "Generate",
    "Input",
    "Mean",
    "Paired",
    "Pool",
    "Randomness",
    "Sampler",
    "Steer",
    "Together",
    "Uncond",
    "Weighted",
    "Zero",
    "describe_sampler",
    "differ_of",
    "features_of",
    "is_own",
    "is_virtual",
    "laws_of",
    "source_of",
]
