"""Where a planted circuit may stand: the command line of its training script."""

from __future__ import annotations

import pytest
from ioi_places import heads_of, in_words, problems
from ioi_training import HEADS, LAYERS, ROLES
from train_ioi_planted import planting

from hypothesis import given
from hypothesis import strategies as st

HEAD_LISTS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1).map(tuple)


@given(HEAD_LISTS)
def test_heads_are_read_as_they_are_written(heads: tuple[tuple[int, int], ...]) -> None:
    assert heads_of(in_words(heads)) == heads


@pytest.mark.parametrize("text", ["", "3", "3.", "3.1.2", "3.1,", "3.1;3.2", "-1.0", "³.1"])
def test_what_is_no_list_of_heads_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no list of heads"):
        heads_of(text)


def test_default_places_are_those_of_the_embedded_model() -> None:
    given = planting([])
    assert given.roles == ROLES
    assert (given.layers, given.options.seed, given.options.steps) == (LAYERS, 0, 2500)
    assert problems(ROLES, LAYERS, HEADS) == []


def test_other_places_are_taken() -> None:
    given = planting(
        ["--layers", "5", "--duplicate", "1.2", "--inhibition", "3.0,3.1,3.3", "--mover", "4.3"]
    )
    assert given.layers == 5
    assert given.roles == {
        "duplicate token": ((1, 2),),
        "S-inhibition": ((3, 0), (3, 1), (3, 3)),
        "name mover": ((4, 3),),
    }


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--mover 3", '"3" is no list of heads: write LAYER.HEAD,LAYER.HEAD as in 2.0,2.1'),
        ("--mover 2.0,3.1", "name mover is 2.0,3.1: give heads of one layer."),
        ("--mover 3.4", "name mover: there is no head 3.4, layers are 0 to 3 with heads 0 to 3"),
        ("--inhibition 2.1,2.1", "S-inhibition is 2.1,2.1: give 1 to 3 different heads."),
        ("--inhibition 2.0,2.1,2.2,2.3", "give 1 to 3 different heads."),
        (
            "--inhibition 1.2",
            "S-inhibition (1.2) reads what duplicate token (1.0,1.1) writes: give heads of a later "
            "layer.",
        ),
        ("--duplicate 0.1", "duplicate token is 0.1: no head of layer 0 can tell which name"),
    ],
)
def test_bad_places_end_in_a_sentence(
    line: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        planting(line.split())
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_all_that_is_wrong_is_said_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        planting(["--duplicate", "0.1,1.7", "--mover", "2.0"])
    said = capsys.readouterr().err
    for part in ("0.1,1.7: give heads of one layer", "no head 1.7", "name mover (2.0) reads"):
        assert part in said
