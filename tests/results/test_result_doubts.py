"""What is said below the table of nodes that swap little, and of nodes that read padding."""

from __future__ import annotations

from attrs import evolve

from scrub import Agree, Exact, Uncond
from scrub.results.doubts import MANY, doubts
from scrub.results.result import NodeResult
from support.bits import HALF, run
from support.repeated_bits import outcome


def node(*path: str, changed: float = 1.0, pads: int = 0, sampler: str = "Uncond") -> NodeResult:
    return NodeResult(path, "", sampler, "", 1.0, changed, 1.0, pads)


def said(*nodes: NodeResult) -> list[str]:
    return doubts(evolve(outcome(product=Uncond()), nodes=nodes))


def test_a_node_whose_every_row_is_alone_in_its_class() -> None:
    """The claim may hang on other nodes; this one's part is not tested."""
    tested = outcome(product=Uncond())
    for sampler, expected in (
        (Agree("row"), ['node "product" swaps nothing: every donor is the reference itself']),
        (Agree("x"), []),
        (Exact(), []),
    ):
        nodes = outcome(product=sampler).nodes
        assert [note for note in doubts(evolve(tested, nodes=nodes)) if "swap" in note] == expected


def test_a_vacuous_claim_says_it_once() -> None:
    (note,) = doubts(outcome(product=Agree("row")))
    assert note.startswith("vacuous: ")


def test_a_node_that_mostly_draws_its_reference() -> None:
    assert said(node("root", sampler="Exact", changed=0.0), node("root", "a", changed=0.12)) == [
        'node "a" is swapped in 12% of the references only: mostly it draws its own reference'
    ]


def test_nodes_of_one_name_are_told_apart_by_their_paths() -> None:
    assert said(node("a"), node("a", "b", pads=3), node("a", "c", "b", pads=1200)) == [
        'node "a / b" read padding 3 times, at positions past a row\'s end',
        'node "a / c / b" read padding 1,200 times, at positions past a row\'s end',
    ]
    assert said(node("a"), node("a", "b", pads=3)) == [
        'node "b" read padding 3 times, at positions past a row\'s end'
    ]


def test_of_many_nodes_one_line_is_said() -> None:
    many = [node(str(i), changed=0.01 * i, pads=2) for i in range(MANY + 1)]
    assert said(*many) == [
        "5 nodes are swapped in at most 4% of the references each: mostly each draws its own "
        "reference",
        "5 nodes read padding, 10 times in all, at positions past a row's end",
    ]


def test_nodes_whose_features_say_the_same_in_this_data() -> None:
    """Both pass, and would if their features were exchanged."""
    found = run(HALF, product=Agree("alike"), dead=Agree("x and y"))
    assert [doubt for doubt in doubts(found) if "alike" in doubt] == [
        'nodes "dead" (x and y) and "product" (alike) state features that divide these rows alike: '
        "rows in which they differ would tell them apart"
    ]
    assert not any("alike" in doubt for doubt in doubts(run(HALF, product=Agree("alike"))))
