"""The semantics (docs/semantics.md) on two attention heads, small enough to compute by hand.

A token has three numbers: a (how much it is attended to), c (how sharply it attends) and v (what it
says). Head 0 attends from i to j in proportion to a_j to the power c_i, head 1 to all alike. The
output at a position is its own v, and what either head reads there. Nothing is normalised. In a
second layer, which is like the first, both heads also read what head 0 of the first has written.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from oracle.by_hand import Drawn, root_value
from scrub.data.dataset import Dataset
from scrub.hypothesis.correspondence import InterpNode
from scrub.hypothesis.sites import (
    Sites,
    Through,
    anything,
    heads,
    none,
    output,
    token_embedding,
)
from scrub.hypothesis.tree import NamePath
from scrub.model.graph import Graph
from scrub.model.transformer import transformer
from scrub.model.weights import MLP, Attention, Block, Linear, Projection, Weights
from scrub.samplers import Exact

A = [[1, 2, 3], [2, 5, 1], [4, 1, 3], [3, 2, 9]]
C = [[2, 2, 1], [1, 1, 2], [1, 0, 1], [1, 2, 1]]
V = [[1, 2, 4], [10, 20, 40], [100, 200, 400], [1000, 2000, 4000]]
"""Per row of the data, per position. The last token of row 2 is padding."""

DATA = Dataset(
    "tokens",
    inputs={"tokens": np.arange(12).reshape(4, 3)},  # every row has tokens of its own
    lengths=np.array([3, 3, 2, 3]),
    positions={"name": np.array([0, 1, 0, 1]), "end": np.array([2, 2, 1, 2])},
)


def two_heads(*, causal: bool = True, layers: int = 1) -> Graph:
    """The stream: log a, c, v, what head 0 reads, what head 1 reads."""
    a, c, v = (torch.tensor(numbers, dtype=torch.float64).flatten() for numbers in (A, C, V))
    nothing, unit = torch.zeros_like(a), torch.eye(5, dtype=torch.float64)

    def reading(of_head_0: torch.Tensor, of_head_1: torch.Tensor) -> Projection:
        return Projection(torch.stack([of_head_0, of_head_1])[:, :, None])

    attention = Attention(
        norm=as_it_is,
        query=reading(unit[1], 0 * unit[1]),
        key=reading(unit[0], unit[0]),
        value=reading(unit[2] + unit[3], unit[2] + unit[3]),
        output=unit[3:, None],
        output_bias=None,
        scale=1.0,
    )
    idle = Linear(0 * unit)
    weights = Weights(
        embedding=torch.stack([a.log(), c, v, nothing, nothing], dim=1),
        position_embedding=None,
        blocks=(Block(attention, MLP(as_it_is, idle, None, idle, "relu")),) * layers,
        norm_final=as_it_is,
        unembedding=Linear(unit[:, 2:]),
        width=3,
        causal=causal,
    )
    return transformer(weights)


def as_it_is(x: torch.Tensor) -> torch.Tensor:
    return x


def attended(weights: list[int], values: list[float]) -> float:
    return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)


def scrubbed(
    sites: Mapping[InterpNode, Sites],
    drawn: Mapping[NamePath, Drawn],
    model: Graph | None = None,
) -> list[list[float]]:
    """Per sample: v, what heads 0 read and what heads 1 read, one position after the other."""
    value = root_value(model or two_heads(), DATA, sites, drawn)
    return value[:, :, 0].flatten(1).tolist()


def close(expected: list[list[float]]) -> object:
    return [pytest.approx(sample, rel=1e-12) for sample in expected]


def root() -> InterpNode:
    return InterpNode("out", Exact(), other=Exact())


BOTH = [(0, 0), (0, 1)]
IN_ROW_0 = [4, attended([1, 2, 3], [1, 2, 4]), attended([1, 1, 1], [1, 2, 4])]
"""The plain output at the end of row 0."""


def test_the_plain_model() -> None:
    drawn = {("out",): (0, 1, 2)}
    assert scrubbed({root(): output(at="end")}, drawn) == close(
        [
            IN_ROW_0,
            [40, attended([2**2, 5**2, 1], [10, 20, 40]), attended([1, 1, 1], [10, 20, 40])],
            [200, attended([1, 1], [100, 200]), attended([1, 1], [100, 200])],
        ]
    )


# Some heads


def test_a_child_covers_only_some_heads() -> None:
    top = root()
    one = top.child("head", Exact())
    drawn = {("out",): ((0,), (0,)), ("out", "head"): (1,)}
    from_0, plain = attended([4, 25, 1], [10, 20, 40]), IN_ROW_0
    claimed = {top: output(at="end"), one: heads([(0, 0)], at="end")}
    assert scrubbed(claimed, drawn) == close([[4, from_0, plain[2]]])
    claimed[one] = heads([(0, 1)], at="end")
    assert scrubbed(claimed, drawn) == close([[4, plain[1], attended([1, 1, 1], [10, 20, 40])]])


def test_a_child_covers_the_values_of_only_one_head_of_its_parent() -> None:
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


def test_two_children_cover_a_head_each() -> None:
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


def below_heads(
    where: Sites, row: int, *, other: int = 0, at: str | tuple[str | int, ...] = "end"
) -> list[float]:
    """The output where both heads stand on one row and what these sites say is another row's."""
    top = root()
    both = top.child("heads", Exact())
    below = both.child("below", Exact())
    claimed = {top: output(at=at), both: heads(BOTH, at=at), below: where}
    drawn = {
        ("out",): ((0,), (3,)),
        ("out", "heads"): ((2,), (other,)),
        ("out", "heads", "below"): (row,),
    }
    (value,) = scrubbed(claimed, drawn)
    return value


def test_a_child_covers_only_some_positions_of_what_is_read() -> None:
    first = below_heads(token_embedding(at=0), 1)
    assert first == pytest.approx(
        [4000, attended([2, 2, 3], [10, 2, 4]), attended([1, 1, 1], [10, 2, 4])]
    )
    two = below_heads(token_embedding(at=(0, 1), into="v"), 1)
    assert two == pytest.approx(
        [4000, attended([1, 2, 3], [10, 20, 4]), attended([1, 1, 1], [10, 20, 4])]
    )


def test_what_a_child_covers_is_read_at_later_positions_too() -> None:
    value = below_heads(token_embedding(at=0, into="v"), 1, at=(1, "end"))
    at_1 = [2000, attended([1, 4], [10, 2]), attended([1, 1], [10, 2])]
    at_end = [4000, attended([1, 2, 3], [10, 2, 4]), attended([1, 1, 1], [10, 2, 4])]
    assert value == pytest.approx([*at_1, *at_end])


def test_a_position_by_name_is_taken_in_ones_own_row_and_lands_in_the_parents() -> None:
    """The name stands at 1 in row 1 and at 0 in row 0."""
    value = below_heads(token_embedding(at="name", into="v"), 1)
    assert value == pytest.approx(
        [4000, attended([1, 2, 3], [20, 2, 4]), attended([1, 1, 1], [20, 2, 4])]
    )


def test_a_child_covers_only_some_positions_of_its_parent() -> None:
    top = root()
    early = top.child("head", Exact())
    claimed = {top: output(at=(1, "end")), early: heads([(0, 0)], at=1)}
    drawn = {("out",): ((0,), (0,)), ("out", "head"): (1,)}
    # Head 0 at 1 attends as its own row says, to the two tokens that it sees there.
    at_1 = [2, attended([2, 5], [10, 20]), attended([1, 1], [1, 2])]
    assert scrubbed(claimed, drawn) == close([[*at_1, *IN_ROW_0]])


# Ports


def test_a_child_enters_by_q_only_and_k_and_v_come_from_other() -> None:
    """Row 1 attends with c = 2; a and v, also those of the end itself, are row 0's."""
    value = below_heads(token_embedding(at="end", into="q"), 1)
    assert value == pytest.approx([4000, attended([1, 4, 9], [1, 2, 4]), IN_ROW_0[2]])


def test_a_child_enters_by_k_only_and_q_and_v_come_from_other() -> None:
    value = below_heads(token_embedding(into="k"), 1)
    assert value == pytest.approx([4000, attended([2, 5, 1], [1, 2, 4]), IN_ROW_0[2]])


def test_a_query_of_a_shorter_row_attends_to_all_of_its_parents() -> None:
    """Row 2 ends at 1, with c = 0. Its query lands at 2, and the mask there is row 0's."""
    value = below_heads(token_embedding(at="end", into="q"), 2)
    assert value == pytest.approx([4000, attended([1, 1, 1], [1, 2, 4]), IN_ROW_0[2]])


# Paths


def test_a_path_goes_through_a_head_but_never_through_an_excluded_one() -> None:
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


# Masks


def test_the_attention_mask_as_a_site() -> None:
    """Row 2 has two tokens, so that the third of row 0 is not seen."""
    value = below_heads(heads(BOTH, "mask", into="mask"), 2)
    assert value == pytest.approx([4000, attended([1, 2], [1, 2]), attended([1, 1], [1, 2])])


def test_the_attention_mask_of_one_head() -> None:
    value = below_heads(heads([(0, 0)], "mask"), 2)
    assert value == pytest.approx([4000, attended([1, 2], [1, 2]), IN_ROW_0[2]])


def test_a_mask_shows_padding_but_nothing_that_comes_later() -> None:
    """The heads stand at 1, the end of row 2; row 0's mask lets them see the padding at 2."""
    top = root()
    both = top.child("heads", Exact())
    mask = both.child("mask", Exact())
    claimed = {top: output(at="end"), both: heads(BOTH, at="end"), mask: heads(BOTH, "mask")}
    drawn = {
        ("out",): ((0,), (3,)),
        ("out", "heads"): ((0,), (2,)),
        ("out", "heads", "mask"): (0,),
    }
    seen = attended([1, 1], [100, 200])
    assert scrubbed(claimed, drawn) == close([[4000, seen, seen]])
    seen = attended([1, 1, 1], [100, 200, 400])
    assert scrubbed(claimed, drawn, two_heads(causal=False)) == close([[4000, seen, seen]])


def test_the_mask_comes_from_other_where_no_child_claims_it() -> None:
    """All that the heads embed is row 2's, which is shorter; the mask remains row 0's."""
    value = below_heads(token_embedding(), 2)
    # The end of row 0 stands where row 2 has its padding: a = 3, c = 1, v = 400.
    assert value == pytest.approx(
        [4000, attended([4, 1, 3], [100, 200, 400]), attended([1, 1, 1], [100, 200, 400])]
    )


# Patterns


def test_the_pattern_as_a_site() -> None:
    """Head 0 attends as in row 1, to what the tokens of row 0 say."""
    value = below_heads(heads([(0, 0)], "pattern", at="end"), 1)
    assert value == pytest.approx([4000, attended([4, 25, 1], [1, 2, 4]), IN_ROW_0[2]])


def test_a_pattern_maps_source_positions_index_to_index() -> None:
    pattern = heads([(0, 0)], "pattern", at="end", into="pattern")
    short = below_heads(pattern, 2)
    assert short == pytest.approx([4000, attended([1, 1, 0], [1, 2, 4]), IN_ROW_0[2]])
    # The end of row 2 is at 1; row 0's pattern there also looks at the padding behind.
    long = below_heads(pattern, 0, other=2)
    alike = attended([1, 1], [100, 200])
    assert long == pytest.approx([4000, attended([1, 2, 3], [100, 200, 400]), alike])


def test_a_moved_pattern_sees_what_lies_after_its_new_position() -> None:
    """Row 0's pattern at its end, 2, lands at row 2's end, 1, and still looks at source 2."""
    top = root()
    head = top.child("head", Exact())
    pattern = head.child("pattern", Exact())
    token = head.child("token", Exact())
    claimed = {
        top: output(at="end"),
        head: heads([(1, 0)], at="end"),
        pattern: heads([(1, 0)], "pattern", at="end", into="pattern"),
        token: token_embedding(at=0, into="v", through=anything),
    }
    drawn = {
        ("out",): ((2,), (2,)),
        ("out", "head"): ((2,), (2,)),
        ("out", "head", "pattern"): (0,),
        ("out", "head", "token"): (3,),
    }
    # With row 3's token at 0, the first layer's head 0 reads at 0, 1 and 2, the last not by itself:
    below = [1000, attended([1, 1], [1000, 200]), attended([3, 1], [1000, 200])]
    values = [own + read for own, read in zip([1000, 200, 400], below, strict=True)]
    plain = attended([1, 1], [100, 200])
    expected = [200, plain + attended([1, 2, 3], values), plain + attended([1, 1], [200, 350])]
    assert scrubbed(claimed, drawn, two_heads(layers=2)) == close([expected])


def test_a_query_below_a_pattern() -> None:
    """The values are row 0's, the keys row 3's, and the query is row 1's."""
    top = root()
    head = top.child("head", Exact())
    pattern = head.child("pattern", Exact())
    query = pattern.child("query", Exact())
    claimed = {
        top: output(at="end"),
        head: heads([(0, 0)], at="end"),
        pattern: heads([(0, 0)], "pattern", at="end"),
        query: token_embedding(at="end", into="q"),
    }
    drawn = {
        ("out",): ((0,), (0,)),
        ("out", "head"): ((2,), (0,)),
        ("out", "head", "pattern"): ((2,), (3,)),
        ("out", "head", "pattern", "query"): (1,),
    }
    assert scrubbed(claimed, drawn) == close([[4, attended([9, 4, 81], [1, 2, 4]), IN_ROW_0[2]]])


# Right on the average


def test_patterns_exchanged_between_samples_keep_the_mean() -> None:
    """An engine that gave a sample the pattern of the one beside it keeps the mean."""
    top = root()
    head = top.child("head", Exact())
    pattern = head.child("pattern", Exact())
    claimed = {
        top: output(at="end"),
        head: heads([(0, 0)], at="end"),
        pattern: heads([(0, 0)], "pattern", at="end"),
    }
    drawn = {
        ("out",): ((0, 0), (0, 0)),
        ("out", "head"): ((0, 0), (0, 0)),
        ("out", "head", "pattern"): (1, 3),
    }
    found = [sample[1] for sample in scrubbed(claimed, drawn)]
    right = [attended([4, 25, 1], [1, 2, 4]), attended([3, 2, 9], [1, 2, 4])]
    assert found == pytest.approx(right)
    assert abs(right[0] - right[1]) > 1
