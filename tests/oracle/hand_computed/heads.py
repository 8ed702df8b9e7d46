"""The semantics (docs/semantics.md) on the two attention heads of `two_heads`."""

from __future__ import annotations

import pytest

from oracle.hand_computed.two_heads import (
    BOTH,
    IN_ROW_0,
    attended,
    below_heads,
    close,
    root,
    scrubbed,
    two_heads,
)
from scrub.hypothesis.sites import (
    Through,
    anything,
    heads,
    none,
    output,
    token_embedding,
)
from scrub.samplers import Exact


def the_plain_model() -> None:
    drawn = {("out",): (0, 1, 2)}
    assert scrubbed({root(): output(at="end")}, drawn) == close(
        [
            IN_ROW_0,
            [40, attended([2**2, 5**2, 1], [10, 20, 40]), attended([1, 1, 1], [10, 20, 40])],
            [200, attended([1, 1], [100, 200]), attended([1, 1], [100, 200])],
        ]
    )


# Some heads


def a_child_covers_only_some_heads() -> None:
    top = root()
    one = top.child("head", Exact())
    drawn = {("out",): ((0,), (0,)), ("out", "head"): (1,)}
    from_0, plain = attended([4, 25, 1], [10, 20, 40]), IN_ROW_0
    claimed = {top: output(at="end"), one: heads([(0, 0)], at="end")}
    assert scrubbed(claimed, drawn) == close([[4, from_0, plain[2]]])
    claimed[one] = heads([(0, 1)], at="end")
    assert scrubbed(claimed, drawn) == close([[4, plain[1], attended([1, 1, 1], [10, 20, 40])]])


def a_child_covers_the_values_of_only_one_head_of_its_parent() -> None:
    top = root()
    both = top.child("heads", Exact())
    values = both.child("values", Exact())
    drawn = {
        ("out",): ((0,), (3,)),
        ("out", "heads"): ((0,), (0,)),
        ("out", "heads", "values"): (1,),
    }
    claimed = {
        top: output(at="end"),
        both: heads(BOTH, at="end"),
        values: heads([(0, 0)], "v"),
    }
    from_1 = attended([1, 2, 3], [10, 20, 40])
    assert scrubbed(claimed, drawn) == close([[4000, from_1, IN_ROW_0[2]]])


def two_children_cover_a_head_each() -> None:
    top = root()
    first, second = top.child("first", Exact()), top.child("second", Exact())
    claimed = {
        top: output(at="end"),
        first: heads([(0, 0)], at="end"),
        second: heads([(0, 1)], at="end"),
    }
    drawn = {("out",): ((0,), (3,)), ("out", "first"): (1,), ("out", "second"): (0,)}
    assert scrubbed(claimed, drawn) == close(
        [[4000, attended([4, 25, 1], [10, 20, 40]), attended([1, 1, 1], [1, 2, 4])]]
    )


# Some positions


def a_child_covers_only_some_positions_of_what_is_read() -> None:
    first = below_heads(token_embedding(at=0), 1)
    assert first == pytest.approx(
        [4000, attended([2, 2, 3], [10, 2, 4]), attended([1, 1, 1], [10, 2, 4])]
    )
    two = below_heads(token_embedding(at=(0, 1), into="v"), 1)
    assert two == pytest.approx(
        [4000, attended([1, 2, 3], [10, 20, 4]), attended([1, 1, 1], [10, 20, 4])]
    )


def what_a_child_covers_is_read_at_later_positions_too() -> None:
    value = below_heads(token_embedding(at=0, into="v"), 1, at=(1, "end"))
    at_1 = [2000, attended([1, 4], [10, 2]), attended([1, 1], [10, 2])]
    at_end = [4000, attended([1, 2, 3], [10, 2, 4]), attended([1, 1, 1], [10, 2, 4])]
    assert value == pytest.approx([*at_1, *at_end])


def a_position_by_name_is_taken_in_ones_own_row_and_lands_in_the_parents() -> None:
    """The name stands at 1 in row 1 and at 0 in row 0."""
    value = below_heads(token_embedding(at="name", into="v"), 1)
    assert value == pytest.approx(
        [4000, attended([1, 2, 3], [20, 2, 4]), attended([1, 1, 1], [20, 2, 4])]
    )


def a_child_covers_only_some_positions_of_its_parent() -> None:
    top = root()
    early = top.child("head", Exact())
    claimed = {top: output(at=(1, "end")), early: heads([(0, 0)], at=1)}
    drawn = {("out",): ((0,), (0,)), ("out", "head"): (1,)}
    # Head 0 at 1 attends as its own row says, to the two tokens that it sees there.
    at_1 = [2, attended([2, 5], [10, 20]), attended([1, 1], [1, 2])]
    assert scrubbed(claimed, drawn) == close([[*at_1, *IN_ROW_0]])


# Ports


def a_child_enters_by_q_only_and_k_and_v_come_from_other() -> None:
    """Row 1 attends with c = 2; a and v, also those of the end itself, are row 0's."""
    value = below_heads(token_embedding(at="end", into="q"), 1)
    assert value == pytest.approx([4000, attended([1, 4, 9], [1, 2, 4]), IN_ROW_0[2]])


def a_child_enters_by_k_only_and_q_and_v_come_from_other() -> None:
    value = below_heads(token_embedding(into="k"), 1)
    assert value == pytest.approx([4000, attended([2, 5, 1], [1, 2, 4]), IN_ROW_0[2]])


def a_query_of_a_shorter_row_attends_to_all_of_its_parents() -> None:
    """Row 2 ends at 1, with c = 0. Its query lands at 2, and the mask there is row 0's."""
    value = below_heads(token_embedding(at="end", into="q"), 2)
    assert value == pytest.approx([4000, attended([1, 1, 1], [1, 2, 4]), IN_ROW_0[2]])


# Paths


def a_path_goes_through_a_head_but_never_through_an_excluded_one() -> None:
    """Into the second layer's head 1 goes what row 1 says first, and what head 0 makes of it."""
    top = root()
    late = top.child("late", Exact())
    words = late.child("words", Exact())
    drawn = {
        ("out",): ((0,), (0,)),
        ("out", "late"): ((2,), (0,)),
        ("out", "late", "words"): (1,),
    }

    def late_head_reads(through: Through) -> float:
        claimed = {
            top: output(at="end"),
            late: heads([(1, 1)], at="end"),
            words: token_embedding(at=0, into="v", through=through),
        }
        ((_, _, value),) = scrubbed(claimed, drawn, two_heads(layers=2))
        return value - attended([1, 1, 1], [1, 2, 4])  # what head 1 of the first layer reads

    plain = [1, attended([1, 4], [1, 2]), attended([1, 2, 3], [1, 2, 4])]
    direct = attended([1, 1, 1], [10 + plain[0], 2 + plain[1], 4 + plain[2]])
    # In the first layer, a at position 0 is row 1's too, as far as the path goes through head 0.
    passed = [10, attended([4, 4], [10, 2]), attended([2, 2, 3], [10, 2, 4])]
    through_head_0 = attended([1, 1, 1], [10 + passed[0], 2 + passed[1], 4 + passed[2]])
    assert late_head_reads(none) == pytest.approx(direct)
    assert late_head_reads(anything) == pytest.approx(through_head_0)
    assert late_head_reads(none.including(heads([(0, 0)]))) == pytest.approx(through_head_0)
    assert late_head_reads(anything.excluding(heads([(0, 0)]))) == pytest.approx(direct)
