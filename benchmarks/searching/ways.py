"""The methods and their settings, as they were frozen before any model that was held out was made.

The settings in bold on the page are each method's own; the others are budgets above and below.
"""

from __future__ import annotations

from scrub.searches import acdc, attribution, pruning
from scrub.searches.attribution_settings import STEPS, AttributionSettings
from searching.methods import at_random, by_circuit, by_paths
from searching.record import Way

SAMPLES = 100
"""References of each search, and of the circuits' scores on rows held out."""
DEVELOPED, HELD_OUT = range(32), range(1000, 1040)
"""Seeds of wired models: those on which settings were looked at, and those that were searched once.
A quarter of each is of each kind."""


FEW = 5
"""Steps of integrated gradients in the published experiments (Hanna et al. 2024)."""


def _pruning(keeps: float, costs: float, *, order: str = "backward", default: bool = False) -> Way:
    settings = pruning.PruningSettings(keeps=keeps, costs=costs, order=order)
    more = "" if order == "backward" else f", {order} first"
    return Way(
        "pruning",
        f"keeps {keeps:.0%}, costs {costs:.0%}{more}",
        by_circuit(pruning.METHOD, lambda most: settings),
        default,
    )


def _acdc(share: float, *, default: bool = False) -> Way:
    return Way(
        "acdc",
        f"{share:.1%} of all",
        by_circuit(acdc.METHOD, lambda most: acdc.AcdcSettings(threshold=share * most)),
        default,
    )


def _attribution(steps: int, keeps: float, *, default: bool = False) -> Way:
    settings = AttributionSettings(steps=steps, keeps=keeps)
    return Way(
        {0: "EAP", STEPS: "EAP-IG"}.get(steps, f"EAP-IG, {steps} steps"),
        f"keeps {keeps:.0%}",
        by_circuit(attribution.METHOD, lambda most: settings),
        default,
    )


WAYS: tuple[Way, ...] = (
    Way("paths", "2%", by_paths(0.02)),
    Way("paths", "5%", by_paths(0.05)),
    Way("paths", "10%", by_paths(0.1), default=True),
    Way("paths", "20%", by_paths(0.2)),
    _pruning(0.6, 0.1),
    _pruning(0.8, 0.05, default=True),
    _pruning(0.8, 0.05, order="least"),
    _pruning(0.95, 0.02),
    _acdc(0.001),
    _acdc(0.01, default=True),
    _acdc(0.05),
    _acdc(0.2),
    _attribution(0, 0.6),
    _attribution(0, 0.8, default=True),
    _attribution(0, 0.95),
    _attribution(FEW, 0.6),
    _attribution(FEW, 0.8),
    _attribution(FEW, 0.95),
    _attribution(STEPS, 0.6),
    _attribution(STEPS, 0.8, default=True),
    _attribution(STEPS, 0.95),
    Way("random", "5% of edges", at_random(0.05, 0), default=True),
)
