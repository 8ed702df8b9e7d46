"""What came out, in tables."""

from __future__ import annotations

from collections.abc import Sequence

from scrub.runner.options import SAMPLES
from validating.falsehoods import MEANING, UNREFUTABLE
from validating.page_marks import marked, marked_wrongly, marks_of_true, surviving, survivors
from validating.population import KNOWN
from validating.tables import (
    REFUTED,
    SUPPORTED,
    VERDICTS,
    by,
    counted,
    listed,
    markdown,
    share,
    share_of,
)
from validating.trial import BOUND, FULL, NEAR, PLANTED, Tried

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


def written(tried: Sequence[Tried], command: str, seconds: float) -> str:
    """The page."""
    tried = sorted(tried, key=lambda one: (one.group, one.kind, one.truth))
    right = [one for one in tried if one.group in PLANTED and one.kind == "true"]
    wrong = [one for one in tried if one.group in PLANTED and one.kind != "true"]
    shown = [one for one in wrong if one.truth == "below the bound"]
    parts = [
        _introduction(command, seconds, len(tried)),
        "## In short\n",
        _in_short(right, wrong, shown),
        "## True claims\n",
        by(right, "group"),
        f"The lowest population among them is {min(one.population for one in right):.4f}.\n",
        "What is said against them:\n",
        marks_of_true(right),
        "## False claims, by mistake\n",
        "\n".join(f"- *{kind}*: {meaning}." for kind, meaning in MEANING.items()) + "\n",
        "Those whose population lies below the bound:\n",
        by(shown, "group", "kind"),
        "The same by what they recover in truth:\n",
        by(sorted(shown, key=lambda one: one.population), "band"),
        "And those whose population does not lie below the bound:\n",
        by([one for one in wrong if one not in shown], "group", "kind", "truth"),
        "## Which false claims survive, and why\n",
        surviving(wrong),
        "## Refutable, and not refuted\n",
        listed([one for one in shown if one.verdict != REFUTED]),
        "## True, and not supported\n",
        listed([one for one in right if one.verdict != SUPPORTED]),
        "## Does the interval hold the population?\n",
        _held([one for one in wrong if one.error == 0 and one.truth != "1"]),
        "## Trained models\n",
        _trained([one for one in tried if one.group not in PLANTED]),
    ]
    return "\n".join(parts)


def _in_short(right: Sequence[Tried], wrong: Sequence[Tried], shown: Sequence[Tried]) -> str:
    random = [one for one in shown if not one.near]
    looked_for = [one for one in shown if one.near]
    doubtful = [one for one in wrong if one.truth == "at the bound"]
    near = [one for one in wrong if NEAR[0] <= one.population < NEAR[1]]
    passed = [one for one in wrong if one.verdict == SUPPORTED]
    silent = [one for one in passed if not one.marks]
    wrongly = share(marked_wrongly(right), right)

    def row(name: str, part: Sequence[Tried], goal: str = "") -> list[str]:
        return [name, *counted(part), str(len(marked(part))), goal]

    table = markdown(
        ["planted models", "claims", *VERDICTS, "marked", "goal"],
        [
            row(
                "true",
                right,
                f"{share_of(right, SUPPORTED)} supported (≥ {GOALS['true']:.0%}), "
                f"{wrongly} marked wrongly (< {GOALS['true marked wrongly']:.0%})",
            ),
            row(
                "false, refutable",
                random,
                f"{share_of(random, REFUTED)} refuted (≥ {GOALS['refutable']:.0%})",
            ),
            row("the same, looked for near the bound", looked_for),
            row("false, at the bound", doubtful),
            row("false, not refutable", survivors(wrong)),
        ],
    )
    return f"""{table}
{REFUTABLE_MEANS}
*Near the bound*: {len(near)} false claims have a population of {NEAR[0]} to {NEAR[1]}
(goal: at least {GOALS["near"]}); {share_of(near, SUPPORTED)} of them are supported
(goal: at most {GOALS["near supported"]:.1%}), {share_of(near, REFUTED)} refuted, and the rest
inconclusive.

*Of all {len(wrong)} false claims* {len(passed)} are supported ({share(passed, wrong)}), which is
right of those that are not refutable. *Marked* are those against which the result says something
all the same: that a node is idle or finer than needed, or the claim vacuous. Supported and not
marked are {len(silent)} ({share(silent, wrong)}).
"""


def _trained(rest: Sequence[Tried]) -> str:
    mistaken = [one for one in rest if one.kind not in AS_THEY_ARE]
    listing = [one for one in survivors(mistaken) if one.kind not in UNREFUTABLE]
    return "\n".join(
        [
            TRAINED_MEANS,
            listed([one for one in rest if one.kind in AS_THEY_ARE], marks=True),
            "And mistakes in the claims about `ioi-planted`:\n",
            by(mistaken, "kind", "truth"),
            SURVIVING_MEANS,
            listed(listing, marks=True),
        ]
    )


def _introduction(command: str, seconds: float, claims: int) -> str:
    return f"""# How often is the verdict right?

`{command}` makes this page ({seconds / 60:.1f} minutes of one core): {claims:,} claims, all
generated from a seed, each tested at the default settings ({SAMPLES:,} references) against the
bound {BOUND}, which was written down with its reason before the first run
(`benchmarks/validating/trial.py`), and so were the goals (`benchmarks/validating/page.py`).

- **graphs**: random algorithms of six inputs and some nodes (sums, comparisons, lookups, copies) as
  graphs of plain functions. Every node also passes on something that nobody reads.
- **transformers**: weights written by hand. Heads copy a token from a position, a distance or a
  match, through each other too; the answer is read from one head, or looked up by an MLP for two.
  The other heads do the same for nobody. All weights have a little noise.
- **shared work**: the same, and three heads copy the token that the answer hangs on. Either it is
  distributed over them, each adding its share to the logits, or each is redundant, an MLP taking
  what two of them say. They are three nodes, or one.
- **ragged rows**: the same with rows of different lengths, in which heads look back from the end.

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
by which nothing comes in, swaps too little to be wrong; but then any input in its place does as
well, and the claim is vacuous. For the same reason `by_position` recovers 1 on `ioi-shortcut`,
where nothing hangs on the heads that it names, and is vacuous; `whole_circuit`, which leaves all
other inputs to chance, is refuted there.
"""


def _held(part: Sequence[Tried]) -> str:
    held = sum(one.held for one in part)
    missed = [one for one in part if not one.held]
    return (
        f"Of {len(part)} claims whose population is enumerated and not 1, the 95% interval holds "
        f"it in {held} ({held / len(part):.1%}). Not in:\n\n{listed(missed)}"
        if part
        else "None.\n"
    )
