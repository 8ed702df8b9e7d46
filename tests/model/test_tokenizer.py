"""Tokenizers from files: ids, texts, pads, and what is said of files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import models, pre_tokenizers, processors

from hypothesis import given, settings
from hypothesis import strategies as st
from scrub.datasets import ioi
from scrub.errors import UserError
from scrub.model.tokenizer import load_tokenizer, save_word_level, word_level
from support.paths import SHARED_MODELS

WORDS = ["Mary", "and", "John", "went", ",", "."]

some_words = st.lists(st.text("abcXYZ", min_size=1, max_size=4), min_size=1, max_size=20)


def shared(name: str) -> Path:
    if not (SHARED_MODELS / name).is_dir():
        pytest.skip(f"shared/models/{name} is not here")
    return SHARED_MODELS / name


@given(words=some_words, data=st.data())
def test_word_level_ids_depend_on_the_set_of_words(words: list[str], data: st.DataObject) -> None:
    tokenizer = word_level(words)
    shuffled = word_level(data.draw(st.permutations(words)) + words[:1])
    assert tokenizer.get_vocab() == shuffled.get_vocab()
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(set(words)) + 2))
    assert tokenizer.token_to_id("<pad>") == 0
    assert tokenizer.token_to_id("<unk>") == 1


def test_word_level_splits_words_and_punctuation(tmp_path: Path) -> None:
    tokenizer = save_word_level(tmp_path / "mine", WORDS, 16)
    assert tokenizer.name == "mine"
    assert tokenizer.pad == 0
    ids = tokenizer.encode("Mary and  John went, John.went <pad> Bob")
    names = [tokenizer.backend.id_to_token(i) for i in ids]
    assert " ".join(map(str, names)) == "Mary and John went , John . went <pad> <unk>"
    assert tokenizer.decode(ids) == [
        " Mary", " and", " John", " went", ",", " John", ".", " went", " <pad>", " <unk>",
    ]  # fmt: skip


@given(text=st.lists(st.sampled_from(WORDS), max_size=12))
@settings(deadline=None, max_examples=30)
def test_word_level_texts_read_as_the_sentence(
    tmp_path_factory: pytest.TempPathFactory, text: list[str]
) -> None:
    tokenizer = save_word_level(tmp_path_factory.getbasetemp() / "sentence", WORDS, 16)
    sentence = " ".join(text).replace(" ,", ",").replace(" .", ".")
    assert "".join(tokenizer.decode(tokenizer.encode(sentence))).strip() == sentence


def test_saved_files_load_in_transformers_with_the_same_ids(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    mine = save_word_level(tmp_path, ioi.vocabulary(), 64)
    theirs = transformers.AutoTokenizer.from_pretrained(str(tmp_path))
    assert (theirs.pad_token_id, theirs.unk_token_id, theirs.model_max_length) == (0, 1, 64)
    assert len(theirs) == len(ioi.vocabulary()) + 2
    data = ioi.prompts(50, prefixes=9).make(mine)
    for row in range(50):
        assert theirs(data.text(row)).input_ids == mine.encode(data.text(row))


def test_saving_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    save_word_level(tmp_path / "a", WORDS, 16)
    save_word_level(tmp_path / "b", WORDS[::-1], 16)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_gpt2_pieces_keep_their_spaces() -> None:
    tokenizer = load_tokenizer(shared("gpt2-tokenizer"))
    assert tokenizer.pad == 50256
    ids = tokenizer.encode("When Mary's friend, Zebulon, went")
    pieces = [
        "When", " Mary", "'s", " friend", ",", " Z", "eb", "ul", "on", ",", " went",
    ]  # fmt: skip
    assert tokenizer.decode(ids) == pieces
    assert tokenizer.decode([50256, 10**6]) == ["<|endoftext|>", "<1000000>"]


def test_sentencepiece_pieces_keep_their_spaces() -> None:
    tokenizer = load_tokenizer(shared("stories260k"))
    assert tokenizer.pad == 2
    sentence = "Once upon a time, Tim saw Zoe."
    pieces = tokenizer.decode(tokenizer.encode(sentence))
    assert "".join(pieces) == f" {sentence}"
    assert pieces[0] == " Once"


def test_word_pieces_join(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(
        models.WordPiece({"[UNK]": 0, "walk": 1, "##ing": 2, "home": 3}, unk_token="[UNK]")
    )
    backend.pre_tokenizer = pre_tokenizers.Whitespace()  # type: ignore[misc]
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.decode(tokenizer.encode("walking home")) == [" walk", "ing", " home"]


def test_special_tokens_padding_and_truncation_of_the_file_are_left_out(tmp_path: Path) -> None:
    backend = word_level(WORDS)
    backend.post_processor = processors.TemplateProcessing(  # type: ignore[misc]
        single="<pad> $A", special_tokens=[("<pad>", 0)]
    )
    backend.enable_padding(length=8)
    backend.enable_truncation(max_length=2)
    backend.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path, name="plain")
    assert tokenizer.name == "plain"
    assert len(tokenizer.encode("Mary and John went")) == 4


@pytest.mark.parametrize(
    ("tokenizer_config", "config", "pad"),
    [
        ({"pad_token": "Mary"}, {"pad_token_id": 2}, "Mary"),
        ({"pad_token": {"content": "Mary"}}, {}, "Mary"),
        ({"pad_token": None, "eos_token": "."}, {"pad_token_id": 0}, "<pad>"),
        ({"eos_token": "."}, {"pad_token_id": None}, "."),
        ({"pad_token": "nowhere", "eos_token": "."}, {}, "."),
        ({}, {"eos_token_id": [1, 0]}, "<unk>"),
        ({}, {"pad_token_id": -1}, "<unk>"),
        ({}, {}, "<unk>"),
        (None, None, "<unk>"),
        ([], "broken", "<unk>"),
    ],
)
def test_the_pad_is_looked_up_beside_the_tokenizer(
    tmp_path: Path, tokenizer_config: Any, config: Any, pad: str
) -> None:
    backend = word_level(WORDS)
    backend.save(str(tmp_path / "tokenizer.json"))
    for name, content in (("tokenizer_config", tokenizer_config), ("config", config)):
        if content is not None:
            text = "{" if content == "broken" else json.dumps(content)
            (tmp_path / f"{name}.json").write_text(text)
    assert load_tokenizer(tmp_path).pad == backend.token_to_id(pad)


def test_without_special_tokens_the_pad_is_0(tmp_path: Path) -> None:
    backend = tokenizers.Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    backend.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).pad == 0


def test_what_is_no_tokenizer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        load_tokenizer(tmp_path / "nowhere")
    assert str(refused.value) == (
        f"There is no tokenizer in {tmp_path / 'nowhere'}: there is no such directory."
    )
    with pytest.raises(UserError) as refused:
        load_tokenizer(tmp_path)
    assert str(refused.value) == (f"There is no tokenizer in {tmp_path}: it has no tokenizer.json.")
    file = tmp_path / "tokenizer.json"
    for content in (b"", b"{}", b'{"model": 3}', b"\xff\xfe"):
        file.write_bytes(content)
        with pytest.raises(UserError) as refused:
            load_tokenizer(tmp_path)
        message = str(refused.value)
        assert message.startswith(f"{file} is not a tokenizer: ")
        assert message.endswith(".")
        assert "\n" not in message


def test_a_contraction_among_the_words_is_one_token(tmp_path: Path) -> None:
    def pieces(words: list[str]) -> list[str]:
        tokenizer = save_word_level(tmp_path / str(len(words)), words, 16)
        return tokenizer.decode(tokenizer.encode("We're here, they"))

    assert pieces(["We", "'re", "here", ",", "they"]) == [" We", "'re", " here", ",", " they"]
    assert pieces(["We", "'", "re", "here", ",", "they"]) == [
        " We", "'", " re", " here", ",", " they",
    ]  # fmt: skip
