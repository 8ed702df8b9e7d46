"""Property tests of samplers: strategies, and the laws that a sampler claims to keep.

    from scrub.testing import sampler_laws

    TestMySampler = sampler_laws(MySampler("io"), DATA)

Which laws there are, which tests they are held by, and why a sampler that keeps them is not accused
of breaking one: `scrub.testing.laws.LAWS` and `scrub.testing.frequencies`.
"""

from typing import TYPE_CHECKING, Any

from scrub.testing.cases import DRAWS, Broken, Case
from scrub.testing.frequencies import LEVEL
from scrub.testing.laws import LAWS, broken_laws, sampler_laws
from scrub.testing.processes import NotCompared, broken_between_processes

if TYPE_CHECKING:
    from scrub.testing.strategies import datasets, references, trees

__all__ = [
    "DRAWS",
    "LAWS",
    "LEVEL",
    "Broken",
    "Case",
    "NotCompared",
    "broken_between_processes",
    "broken_laws",
    "datasets",
    "references",
    "sampler_laws",
    "trees",
]


def __getattr__(name: str) -> Any:
    """Strategies load Hypothesis, for which laws and a second process do not wait."""
    if name not in ("datasets", "references", "trees"):
        raise AttributeError(f"module 'scrub.testing' has no attribute {name!r}")
    from scrub.testing import strategies

    return getattr(strategies, name)
