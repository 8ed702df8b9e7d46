"""The page's parts about claims that survive, and about what results say against them."""

from __future__ import annotations

from collections.abc import Sequence

from scrub.analysis.support import NO_LOSS
from validating.falsehoods import MEANING, REFUTABLE, UNREFUTABLE
from validating.marks import MARKS, Mark
from validating.tables import VERDICTS, counted, listed, markdown, share
from validating.trial import BOUND, Tried

NO_ROWS = "recovers 1 all the same"
NATURES = {
    **{kind: f"{MEANING[kind]}. No scrub can refute it." for kind in UNREFUTABLE},
    NO_ROWS: "what was changed does not matter in these rows: the wrong feature "
    "determines the true one, or the value of the node never changes the answer. No scrub on these "
    "rows can refute it.",
    "loses less than the bound asks": "the mistake changes the answer in less than a tenth of the "
    "cases in which an unrelated row does. A higher bound refutes it.",
}
BEFORE = ("graphs", "transformers")


def survivors(wrong: Sequence[Tried]) -> list[Tried]:
    """False claims that meet the bound in truth."""
    return [one for one in wrong if one.truth in ("1", "above the bound")]


def nature(one: Tried) -> str:
    """Why a survivor survives."""
    if one.kind in UNREFUTABLE and one.truth == "1":
        return one.kind
    return NO_ROWS if one.truth == "1" else "loses less than the bound asks"


def marked(part: Sequence[Tried]) -> list[Tried]:
    """Those against which the result says anything."""
    return [one for one in part if one.marks]


def marked_wrongly(part: Sequence[Tried]) -> list[Tried]:
    """Those against which it says what is not so."""
    return [one for one in part if any(not mark.right for mark in one.marks)]


def surviving(wrong: Sequence[Tried]) -> str:
    """Which false claims survive, why, and what the result says of them."""
    found = survivors(wrong)
    before = [
        one
        for one in found
        if one.group in BEFORE and one.kind in (*REFUTABLE, *UNREFUTABLE) and not one.near
    ]
    unmarked = [one for one in found if not one.marks and one.verdict == "supported"]
    telling = [one for one in found if nature(one) != NO_ROWS]
    missed = [one for one in unmarked if nature(one) != NO_ROWS]
    lines = [f"- *{name}*: {meaning}" for name, meaning in NATURES.items()]
    return "\n".join(
        [
            MARKED_MEANS,
            "\n".join(lines) + "\n",
            _by_nature(found),
            f"Of those that rows can tell from the truth ({len(telling)}), {len(missed)} are "
            "supported and not marked (goal: 0).\n",
            "The same of the mistakes and models that this page had before results were marked "
            f"({' and '.join(BEFORE)}):\n",
            _by_nature(before),
            f"Survivors that are supported and not marked, one by one ({len(unmarked)}):\n",
            listed(unmarked, why=True),
            SILENT_MEANS,
        ]
    )


def _by_nature(found: Sequence[Tried]) -> str:
    rows = [[name, *_row([one for one in found if nature(one) == name])] for name in NATURES]
    heading = [
        "why",
        "claims",
        *VERDICTS,
        "marked",
        *MARKS,
        "at the mistake",
        "alike",
        "not marked",
    ]
    return markdown(heading, [*rows, ["all", *_row(found)]])


def _row(part: Sequence[Tried]) -> list[str]:
    kinds = [sum(any(m.kind == kind for m in one.marks) for one in part) for kind in MARKS]
    here = sum(any(mark.here for mark in one.marks) for one in part)
    alike, some = sum(one.alike for one in part), len(marked(part))
    return [*counted(part), *map(str, (some, *kinds, here, alike, len(part) - some))]


def marks_of_true(right: Sequence[Tried]) -> str:
    """What results say against true claims, and whether it is so."""
    groups = dict.fromkeys(one.group for one in right)
    rows = [[group, *_true_row([o for o in right if o.group == group])] for group in groups]
    heading = ["group", "claims", "marked", *MARKS, "marked wrongly"]
    table = markdown(heading, [*rows, ["all", *_true_row(right)]])
    return f"{TRUE_MEANS}\n{table}\n{_wrong_marks(right)}"


def _true_row(part: Sequence[Tried]) -> list[str]:
    kinds = [sum(any(m.kind == kind for m in one.marks) for one in part) for kind in MARKS]
    wrongly = marked_wrongly(part)
    return [
        str(len(part)),
        str(len(marked(part))),
        *map(str, kinds),
        f"{len(wrongly)} ({share(wrongly, part)})",
    ]


def _wrong_marks(part: Sequence[Tried]) -> str:
    wrong = [(one, mark) for one in part for mark in one.marks if not mark.right]
    if not wrong:
        return "No mark on a true claim is wrong.\n"
    rows = [
        [one.model, one.what, f"{one.population:.4f}", _in_words(mark), f"{mark.population:.4f}"]
        for one, mark in wrong
    ]
    heading = ["model", "claim", "population", "mark", "population if it is changed so"]
    return "Marks that are wrong:\n\n" + markdown(heading, rows)


def _in_words(mark: Mark) -> str:
    return " ".join(word for word in (mark.kind, mark.node, mark.words) if word)


MARKED_MEANS = f"""
A result speaks against a claim that meets its belief in three ways. *Vacuous*: with any input in
place of those that agree, it meets the belief as well. *Idle*: this node alone may take any input,
and it still does. *Finer*: this node asks for more than it needs; asked for less (a feature
dropped, or a coarser column), nothing is lost: less than {NO_LOSS}, with the interval's confidence.
"At the mistake": the mark names the node in which the claim is wrong; where it is left out there is
none to name. *Alike* is no such mark: the result says of the wrong node and another one that their
features divide these rows alike, and that only rows in which they differ would tell them apart.
"""

SILENT_MEANS = f"""
What they have in common, kind by kind:

- *The feature is another column that divides these rows alike.* No claim on these rows tells the
  two apart; the column "why" says which they are (`scrub.analysis.confounding`), and the result
  names them where another node states the true one ("alike").
- *A node is left out that is worth nothing, or little, in these rows* (missing, fewer). Such a
  claim swaps more than the true one and states nothing beside it, so there is nothing idle to find:
  at a bound of {BOUND} it is right. What it leaves out shows as what is not recovered.
- *The feature is right in most rows, and that is enough at this bound* (half-right). It is needed,
  and neither a part of it nor a coarser column does as well. `scrub test --diagnose` finds that the
  true column wins something ("it was missing"); a higher bound refutes it.
- *Heads share the work*, and those that are named do enough of it alone.
"""

TRUE_MEANS = f"""
What is said against true claims need not be wrong. Where a node's value hardly ever changes the
answer, or another head does the same, that node *may* take any input at a bound of {BOUND}, and in
truth. A mark is wrong if the claim, changed as the mark says, recovers less than {BOUND} in truth
(vacuous, idle), or loses more than {NO_LOSS} (finer).
"""
