"""Claims as tables in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from validating.trial import Tried

SUPPORTED, REFUTED = "supported", "refuted"
VERDICTS = (SUPPORTED, REFUTED, "inconclusive", "vacuous")


def counted(part: Sequence[Tried]) -> list[str]:
    """How many claims there are, and of each verdict."""
    counts = Counter(one.verdict for one in part)
    unknown = counts.keys() - set(VERDICTS)
    assert not unknown, f"verdicts without a column: {unknown}"
    return [str(len(part)), *(str(counts[verdict]) for verdict in VERDICTS)]


def share(part: Sequence[object], of: Sequence[object]) -> str:
    """How many of these are those, in percent."""
    return f"{len(part) / len(of):.1%}" if of else "–"


def share_of(part: Sequence[Tried], verdict: str) -> str:
    """How many have a verdict, in percent."""
    return share([one for one in part if one.verdict == verdict], part)


def by(part: Sequence[Tried], *names: str) -> str:
    """A row for each combination of these attributes, with the verdicts."""
    keys = dict.fromkeys(tuple(str(getattr(one, name)) for name in names) for one in part)
    rows = [
        [*key, *counted([o for o in part if tuple(str(getattr(o, n)) for n in names) == key])]
        for key in keys
    ]
    heading = {"truth": "population", "band": "population", "kind": "mistake"}
    names = tuple(heading.get(name, name) for name in names)
    return markdown([*names, "claims", *VERDICTS], rows) if rows else "None.\n"


def listed(part: Sequence[Tried], *, why: bool = False, marks: bool = False) -> str:
    """A row for each claim; with its marks, or with how its mistake can be without effect."""
    if not part:
        return "None.\n"
    ordered = sorted(part, key=lambda one: (one.group, one.kind, -one.population))
    rows = [
        [
            one.model, one.kind, one.what, number(one.population, one.error),
            f"{one.recovered:.3f} [{one.low:.3f}, {one.high:.3f}]", one.verdict,
            *([one.why] if why else []), *([_marks(one)] if marks else []),
        ]
        for one in ordered
    ]  # fmt: skip
    heading = ["model", "mistake", "what is said", "population", "recovered", "verdict"]
    more = [*(["why"] if why else []), *(["marks"] if marks else [])]
    return markdown([*heading, *more], rows)


def _marks(one: Tried) -> str:
    return "; ".join(dict.fromkeys(f"{m.kind} {m.node}".strip() for m in one.marks))


def number(population: float, error: float) -> str:
    """A population, with its standard error where it has one."""
    shown = f"{population:.4f}".replace("-0.0000", "0.0000")
    return shown + (f" ± {error:.4f}" if error else "")


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
