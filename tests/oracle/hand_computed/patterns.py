"""The semantics of masks and attention patterns, on the heads of `two_heads`."""

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
    anything,
    heads,
    output,
    token_embedding,
)
from scrub.samplers import Exact

# Masks


def the_attention_mask_as_a_site() -> None:
    """Row 2 has two tokens, so that the third of row 0 is not seen."""
    value = below_heads(heads(BOTH, "mask", into="mask"), 2)
    assert value == pytest.approx([4000, attended([1, 2], [1, 2]), attended([1, 1], [1, 2])])


def the_attention_mask_of_one_head() -> None:
    value = below_heads(heads([(0, 0)], "mask"), 2)
    assert value == pytest.approx([4000, attended([1, 2], [1, 2]), IN_ROW_0[2]])


def a_mask_shows_padding_but_nothing_that_comes_later() -> None:
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


def the_mask_comes_from_other_where_no_child_claims_it() -> None:
    """All that the heads embed is row 2's, which is shorter; the mask remains row 0's."""
    value = below_heads(token_embedding(), 2)
    # The end of row 0 stands where row 2 has its padding: a = 3, c = 1, v = 400.
    assert value == pytest.approx(
        [4000, attended([4, 1, 3], [100, 200, 400]), attended([1, 1, 1], [100, 200, 400])]
    )


# Patterns


def the_pattern_as_a_site() -> None:
    """Head 0 attends as in row 1, to what the tokens of row 0 say."""
    value = below_heads(heads([(0, 0)], "pattern", at="end"), 1)
    assert value == pytest.approx([4000, attended([4, 25, 1], [1, 2, 4]), IN_ROW_0[2]])


def a_pattern_maps_source_positions_index_to_index() -> None:
    pattern = heads([(0, 0)], "pattern", at="end", into="pattern")
    short = below_heads(pattern, 2)
    assert short == pytest.approx([4000, attended([1, 1, 0], [1, 2, 4]), IN_ROW_0[2]])
    # The end of row 2 is at 1; row 0's pattern there also looks at the padding behind.
    long = below_heads(pattern, 0, other=2)
    alike = attended([1, 1], [100, 200])
    assert long == pytest.approx([4000, attended([1, 2, 3], [100, 200, 400]), alike])


def a_moved_pattern_sees_what_lies_after_its_new_position() -> None:
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


def a_query_below_a_pattern() -> None:
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


def patterns_exchanged_between_samples_keep_the_mean() -> None:
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
