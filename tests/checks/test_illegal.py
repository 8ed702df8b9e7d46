"""Illegal hypotheses: each with its whole message, and all of a file's at once."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

from support.bad_input import DATA, FEATURES, HEADER, POSITIONS, refused
from support.embedded import LISTED

# By claim: the body of its function, and the messages.

ILLEGAL = {
    "two_roots": (
        """
        logits, movers = tree()
        alone = InterpNode("alone", Exact())
        return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end"),
                               alone: heads([(0, 0)])})
        """,
        [
            ': A hypothesis has one root; this one has 2: "logits" and "alone". '
            "Make the others children of the root: root.child(name, sampler)."
        ],
    ),
    "no_such_path": (
        """
        logits, movers = tree()
        later = movers.child("later", Exact())
        return Correspondence({logits: output(at="end"), movers: heads([(1, 0)], at="end"),
                               later: heads([(2, 1)], at="end", into="q")})
        """,
        [
            ' · node "later": No direct path leads from "movers" by q to head 2.1. '
            "The nearest that it leads to is head 0.1."
        ],
    ),
    "only_an_indirect_path": (
        """
        logits, movers = tree()
        return Correspondence({logits: output(at="end"), movers: heads([(1, 0)], at="s2")})
        """,
        [
            ' · node "movers": No direct path leads from "logits" to head 1.0. '
            "There is one with through=anything."
        ],
    ),
    "no_such_head": (
        """
        logits, movers = tree()
        return Correspondence({logits: output(at="end"),
                               movers: heads([(12, 5), (1, 99)], at="end") | mlp(4, at="end")})
        """,
        [
            ' · node "movers": There is no head 12.5: the model has layers 0 to 3 with heads '
            "0 to 3 each. The nearest is head 3.3.",
            ' · node "movers": There is no head 1.99: the model has layers 0 to 3 with heads '
            "0 to 3 each. The nearest is head 1.3.",
            ' · node "movers": There is no MLP 4: the model has layers 0 to 3. '
            "The nearest is MLP 3.",
        ],
    ),
    "no_such_column": (
        """
        logits, movers = tree()
        again = logits.child("again", Agree("tempalte"))
        return Correspondence({logits: output(at="edn"), movers: heads([(1, 0)], at="s_1"),
                               again: heads([(1, 1)], at=99)})
        """,
        [
            f' · node "logits": Dataset {DATA} has no position column "edn". '
            f'The nearest is "end"; there are: {POSITIONS}.',
            f' · node "movers": Dataset {DATA} has no position column "s_1". '
            f'The nearest is "s1"; there are: {POSITIONS}.',
            f' · node "again": Position 99 is outside dataset {DATA}: its rows have positions '
            "0 to 22. The nearest is 22.",
            f' · node "again": Dataset {DATA} has no feature "tempalte". '
            f'The nearest is "template"; there are: {FEATURES}.',
        ],
    ),
    "no_such_port": (
        """
        logits, movers = tree()
        below = movers.child("below", Exact())
        return Correspondence({logits: output(at="end"),
                               movers: heads(model.role("name mover"), at="end"),
                               below: heads([(0, 0)], into="queue", at="end")})
        """,
        [' · node "below": "movers" has no port "queue". There are: k, mask, q, v.'],
    ),
    "no_such_role": (
        """
        model.role("name movers")
        """,
        [
            ': Model "ioi-planted" has no role "name movers". The nearest is "name mover"; there '
            "are: duplicate token, S-inhibition, name mover. Roles are written in roles.toml "
            "beside a model's weights."
        ],
    ),
    "same_path_twice": (
        """
        logits, movers = tree()
        again = logits.child("again", Exact())
        return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end"),
                               again: heads([(3, 0), (3, 1)], at="end")})
        """,
        [
            ' · node "movers": It and "again" both claim head 3.0 at end, by the same port. '
            "Give them different sites, positions or ports (into=)."
        ],
    ),
    "runs_through_the_other": (
        """
        logits, movers = tree()
        early = logits.child("early", Exact())
        return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end"),
                               early: heads([(0, 0)], at="end", through=anything)})
        """,
        [
            ' · node "early": Its path runs through head 3.0 at end, which "movers" claims. '
            'Write through=anything.excluding(heads([(3, 0)], at="end")).'
        ],
    ),
    "bad_samplers": (
        """
        class Beyond:
            def draw(self, references, randomness):
                return references.at(references.index + 1_000)
        class NoRows:
            def draw(self, references, randomness):
                return references.index
        class Few:
            def draw(self, references, randomness):
                return references.at(references.index[:3])
        class Broken:
            def draw(self, references, randomness):
                return references.nothing
        class Floats:
            def draw(self, references, randomness):
                return references.at(references.index / 1)
        logits = InterpNode("logits", Beyond(), other=NoRows())
        few, floats = logits.child("Few", Few()), logits.child("Floats", Floats())
        broken = logits.child("Broken", Broken())
        return Correspondence({logits: output(at="end"), few: heads([(3, 0)], at="end"),
                               broken: heads([(3, 1)], at="end"), floats: mlp(2, at="end")})
        """,
        [
            f' · node "logits": Sampler Beyond returned row 1000 for sample 0, which is not in '
            f"the dataset {DATA}: its rows are 0 to 39.",
            ' · node "logits": Sampler NoRows returned ndarray, not Rows. '
            "Return references.donors(row numbers).",
            ' · node "Broken": Sampler Broken failed in line N of illegal.py: AttributeError: '
            "'Rows' object has no attribute 'nothing'.",
            ' · node "Few": Sampler Few returned 3 donors for 64 references. '
            "Return one row for each reference.",
            ' · node "Floats": Sampler Floats returned rows of type float64. '
            "Return references.donors(row numbers), whole numbers.",
        ],
    ),
    "slips_of_the_pen": (
        """
        logits, movers = tree()
        below = movers.child("below", Exact)
        return Correspondence({logits: output(at="end"), movers: [(3, 0)], below: heads([(0, 0)])})
        """,
        [
            ' · node "movers": It stands for a list. Give sites: heads(…), mlp(…), '
            "embeddings(…), input_stream(…), output(…).",
            ' · node "below": Its sampler is Exact. '
            "Give a sampler, such as Exact(), Uncond() or Agree(feature).",
        ],
    ),
    "reserved_and_repeated_names": (
        """
        logits = InterpNode("baseline", Exact())
        one, two = (logits.child("twin", Exact()) for _ in range(2))
        return Correspondence({logits: output(at="end"), one: heads([(3, 0)], at="end"),
                               two: heads([(3, 1)], at="end")})
        """,
        [
            ' · node "baseline": A node cannot be called "baseline". '
            "That name is reserved for the baseline's draws.",
            ' · node "twin": "baseline" has two children of this name. '
            "Siblings need different names: draws are keyed by them.",
        ],
    ),
    "returns_nothing": (
        "tree()",
        [": It returns a NoneType. A claim's function returns a Correspondence."],
    ),
}
# By claim: its decorator, and the message.
DECLARED = {
    "no_such_label": (
        'claim(data=DATA, metric=logit_diff("io", "s1"))',
        f': Metric "logit(io) − logit(s1)": dataset {DATA} has no label "s1". '
        'The nearest is "s"; there are: io, s.',
    ),
    "no_data": (
        'claim(data=40, metric=logit_diff("io", "s"))',
        ": data= is of type int. Give a Dataset, a recipe such as ioi.prompts(1000), or a function "
        "of the model that returns one.",
    ),
    "no_metric": (
        'claim(data=DATA, metric="logit_diff")',
        ": metric= is of type str. Give one of scrub.metrics, or a function (value, references) → "
        "one number a sample; or several in a list.",
    ),
    "no_model": (
        'claim(data=DATA, metric=logit_diff("io", "s"), model="ioi-plantde")',
        f': There is no model "ioi-plantde". The nearest is "ioi-planted"; there are: {LISTED}.',
    ),
}


@pytest.fixture(scope="module")
def illegal(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What `scrub test` says of a file in which every claim is illegal."""
    body = '    return Correspondence({InterpNode("logits", Exact()): output(at="end")})\n'
    text = HEADER
    for name, (function, _) in ILLEGAL.items():
        text += f"\n@ioi_claim\ndef {name}(model):\n"
        text += indent(dedent(function).strip(), "    ") + "\n"
    for name, (decorator, _) in DECLARED.items():
        text += f"\n@{decorator}\ndef {name}(model):\n{body}"
    folder = tmp_path_factory.mktemp("illegal")
    (folder / "illegal.py").write_text(text)
    outputs = ("--json", "results.json", "--save-run", "runs")
    said = refused(folder, "test", "illegal.py", *outputs, isolated=True)
    return re.sub(r" in line \d+ of", " in line N of", said).splitlines()


@pytest.mark.parametrize("name", [*ILLEGAL, *DECLARED])
def test_illegal_hypothesis(name: str, illegal: list[str]) -> None:
    messages = ILLEGAL[name][1] if name in ILLEGAL else [DECLARED[name][1]]
    expected = [f"error: illegal.py::{name}{message}" for message in messages]
    found = [line for line in illegal if line.startswith(f"error: illegal.py::{name}")]
    prefix = tuple(f"error: illegal.py::{name}{end}" for end in (":", " "))
    said = [line for line in found if line.startswith(prefix)]
    assert [re.sub(r" in line \d+ of illegal.py", "", line) for line in said] == expected


def test_all_illegal_claims_are_named_at_once(illegal: list[str]) -> None:
    assert len(illegal) == sum(len(m) for _, m in ILLEGAL.values()) + len(DECLARED)


FAILING = """
class Late:
    def draw(self, references, randomness):
        if len(references) == 70:
            raise ValueError("not so many")
        return references

@ioi_claim
def sampler(model):
    logits, _ = tree()
    movers = logits.child("movers", Late())
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})

@claim(data=DATA, metric=lambda logits, references: logits[0])
def metric(model):
    logits, movers = tree()
    return Correspondence({logits: output(at="end"), movers: heads([(3, 0)], at="end")})

@claim(data=lambda model: 1 / 0, metric=logit_diff("io", "s"))
def data(model):
    return tree()

@ioi_claim
def building(model):
    return {}["key"]
"""


def test_functions_of_the_file_that_fail(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(HEADER + FAILING)
    lines = (HEADER + FAILING).splitlines()

    def at(text: str) -> int:
        (line,) = (number for number, line in enumerate(lines, start=1) if text in line)
        return line

    assert refused(tmp_path, "check", "failing.py").splitlines() == [
        f"error: failing.py::data: Making the data failed in line {at('1 / 0')}: "
        "ZeroDivisionError: division by zero.",
        f"error: failing.py::building: Building it failed in line {at('key')}: KeyError: 'key'.",
    ]
    test = ("--samples", "70", "--json", "results.json")
    assert refused(tmp_path, "test", "failing.py::sampler", *test) == (
        'error: failing.py::sampler · node "movers": Sampler Late failed in line '
        f"{at('not so many')} of failing.py: ValueError: not so many.\n"
    )
    assert refused(tmp_path, "test", "failing.py::metric", *test) == (
        'error: failing.py::metric: Metric "<lambda>" gave an array of shape [310] for 70 '
        "samples. Give one number a sample.\n"
    )
