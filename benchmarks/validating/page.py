"""What came out, in tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scrub.options import SAMPLES
from validating.falsehoods import MEANING, UNREFUTABLE
from validating.trial import BOUND, FULL, KNOWN, PLANTED, Tried

GOALS = {
    "true": 0.99,  # supported
    "refutable": 0.95,  # of mistakes made at random, refuted
    "near": 40,  # claims with a population between 0.8 and 0.9: one of them is 2.5%
    "near supported": 0.025,  # at most: what a 95% interval may do just below the bound
    "true marked wrongly": 0.01,  # less than
}
"""Written before the first run that had claims near the bound, and marks. Of the false claims that
survive, all should be marked idle, finer than needed or vacuous, but for those that recover 1 since
no row tells them from the truth: "recovers 1 all the same" below."""
AS_THEY_ARE = ("true", "model", "published")
SUPPORTED, REFUTED = "supported", "refuted"
VERDICTS = (SUPPORTED, REFUTED, "inconclusive", "vacuous")


def written(tried: Sequence[Tried], command: str, seconds: float) -> str:
    """The page."""
    tried = sorted(tried, key=lambda one: (one.group, one.kind, one.truth))
    right = [one for one in tried if one.group in PLANTED and one.kind == "true"]
    wrong = [one for one in tried if one.group in PLANTED and one.kind != "true"]
    rest = [one for one in tried if one.group not in PLANTED]
    shown = [one for one in wrong if one.truth == "below the bound"]
    mistaken = [one for one in rest if one.kind not in AS_THEY_ARE]
    doubtful = [one for one in wrong if one.truth == "at the bound"]
    parts = [
        _introduction(command, seconds, len(tried)),
        "## In short\n",
        markdown(
            ["planted models", "claims", *VERDICTS, "goal"],
            [
                ["true", *_counted(right), f"{_share(right, SUPPORTED)} supported (≥ 99%)"],
                ["false, refutable", *_counted(shown), f"{_share(shown, REFUTED)} refuted (≥ 95%)"],
                ["false, at the bound", *_counted(doubtful), ""],
                ["false, not refutable", *_counted(_survivors(wrong)), ""],
            ],
        ),
        REFUTABLE_MEANS,
        "## True claims\n",
        _by(right, "group"),
        f"The lowest population among them is {min(one.population for one in right):.4f}.\n",
        "## False claims, by mistake\n",
        "\n".join(f"- *{kind}*: {meaning}." for kind, meaning in MEANING.items()) + "\n",
        "Those whose population lies below the bound:\n",
        _by(shown, "group", "kind"),
        "The same by what they recover in truth:\n",
        _by(sorted(shown, key=lambda one: one.population), "band"),
        "And those whose population does not lie below the bound:\n",
        _by([one for one in wrong if one not in shown], "group", "kind", "truth"),
        "## Which false claims survive, and why\n",
        _reasons(wrong),
        "## Refutable, and not refuted\n",
        _listed([one for one in shown if one.verdict != REFUTED]),
        "## True, and not supported\n",
        _listed([one for one in right if one.verdict != SUPPORTED]),
        "## Does the interval hold the population?\n",
        _held([one for one in wrong if one.error == 0 and one.truth != "1"]),
        "## Trained models\n",
        TRAINED_MEANS,
        _listed([one for one in rest if one.kind in AS_THEY_ARE]),
        "And mistakes in the claims about `ioi-planted`:\n",
        _by(mistaken, "kind", "truth"),
        SURVIVING_MEANS,
        _listed([one for one in _survivors(mistaken) if one.kind not in UNREFUTABLE]),
    ]
    return "\n".join(parts)


def _introduction(command: str, seconds: float, claims: int) -> str:
    return f"""# How often is the verdict right?

`{command}` makes this page ({seconds / 60:.1f} minutes of one core): {claims:,} claims, all
generated from a seed, each tested at the default settings ({SAMPLES:,} references) against the
bound {BOUND}, which was written down with its reason before the first run
(`benchmarks/validating/trial.py`).

- **graphs**: random algorithms of six inputs and some nodes (sums, comparisons, lookups, copies) as
  graphs of plain functions. Every node also passes on something that nobody reads.
- **transformers**: weights written by hand. Heads copy a token from a position, a distance or a
  match, through each other too; the answer is read from one head, or looked up by an MLP for two.
  The other heads do the same for nobody. All weights have a little noise.

A **true** claim tells the algorithm, down to where its story ends: each node agrees on what it
computes, all other inputs are any row's. It recovers 1 by construction (in transformers up to the
noise). A **false** claim is a true one with one mistake. The **population** is the loss recovered
over all that could be drawn: enumerated for graphs from the algorithm alone, without the engine;
the mean of {FULL.large:,} samples for the others.
"""


REFUTABLE_MEANS = f"""
A claim says that at least {BOUND} is recovered. So a false claim is *refutable* if its population
lies below that. If it lies above, the mistake makes no difference, or too little: then *supported*
is the right answer to what was asked, and no number of samples would change it. It is *at the
bound* if {FULL.large:,} samples do not tell (within {KNOWN:.0f} standard errors).
"""

TRAINED_MEANS = """
The embedded models, with claims of `hypotheses/`. Nothing here is true by construction.
`ioi-planted` was trained to do what the claims say ("true": they, and the same told less far), and
`ioi-shortcut` to do something else ("model": the same claims). Nobody told `parens` what to do
("published": of another model).
"""

SURVIVING_MEANS = """
Those that survive, but for *finer*. They are mistakes in `by_position`, in which all other inputs
are the reference's own: what is not named stays as it was, so that to name other heads, or a port
by which nothing comes in, swaps too little to be wrong. For the same reason `by_position` recovers
1 on `ioi-shortcut`, where nothing hangs on the heads that it names; `whole_circuit`, which leaves
all other inputs to chance, is refuted there.
"""


def _held(part: Sequence[Tried]) -> str:
    held = sum(one.held for one in part)
    missed = [one for one in part if not one.held]
    return (
        f"Of {len(part)} claims whose population is enumerated and not 1, the 95% interval holds "
        f"it in {held} ({held / len(part):.1%}). Not in:\n\n{_listed(missed)}"
        if part
        else "None.\n"
    )


def _survivors(wrong: Sequence[Tried]) -> list[Tried]:
    return [one for one in wrong if one.truth in ("1", "above the bound")]


def _reasons(wrong: Sequence[Tried]) -> str:
    survivors = _survivors(wrong)
    by_nature = [one for one in survivors if one.kind in UNREFUTABLE and one.truth == "1"]
    others = [one for one in survivors if one not in by_nature]
    exactly = sum(one.truth == "1" for one in others)
    counts = Counter(one.kind for one in by_nature)
    lines = [
        f"- *{kind}* ({counts[kind]}): {MEANING[kind]}. No scrub can refute it."
        for kind in UNREFUTABLE
    ]
    lines += [
        f"- *recovers 1 all the same* ({exactly}): what was changed does not matter in these rows. "
        "The wrong feature determines the true one, or the value of the node never changes the "
        "answer. No scrub on these rows can refute it.",
        f"- *loses less than the bound asks* ({len(others) - exactly}): the mistake changes the "
        "answer in less than a tenth of the cases in which an unrelated row does. A higher bound "
        "refutes it.",
    ]
    return "\n".join(lines) + "\n\nThe last two, one by one:\n\n" + _listed(others)


def _counted(part: Sequence[Tried]) -> list[str]:
    counts = Counter(one.verdict for one in part)
    unknown = counts.keys() - set(VERDICTS)
    assert not unknown, f"verdicts without a column: {unknown}"
    return [str(len(part)), *(str(counts[verdict]) for verdict in VERDICTS)]


def _share(part: Sequence[Tried], verdict: str) -> str:
    return f"{sum(one.verdict == verdict for one in part) / len(part):.1%}" if part else "–"


def _by(part: Sequence[Tried], *names: str) -> str:
    keys = dict.fromkeys(tuple(str(getattr(one, name)) for name in names) for one in part)
    rows = [
        [*key, *_counted([o for o in part if tuple(str(getattr(o, n)) for n in names) == key])]
        for key in keys
    ]
    heading = {"truth": "population", "band": "population", "kind": "mistake"}
    names = tuple(heading.get(name, name) for name in names)
    return markdown([*names, "claims", *VERDICTS], rows) if rows else "None.\n"


def _listed(part: Sequence[Tried]) -> str:
    if not part:
        return "None.\n"
    ordered = sorted(part, key=lambda one: (one.group, one.kind, -one.population))
    rows = [
        [
            one.model, one.kind, one.what, _number(one.population, one.error),
            f"{one.recovered:.3f} [{one.low:.3f}, {one.high:.3f}]", one.verdict,
        ]
        for one in ordered
    ]  # fmt: skip
    heading = ["model", "mistake", "what is said", "population", "recovered", "verdict"]
    return markdown(heading, rows)


def _number(population: float, error: float) -> str:
    return f"{population:.4f}" + (f" ± {error:.4f}" if error else "")


def markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
