"""Tokenizers from a `tokenizer.json`, on the `tokenizers` library alone (no torch: it is fast)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tokenizers
from attrs import field, frozen
from tokenizers import models, pre_tokenizers

from scrub.data.image_layout import ImageLayout
from scrub.errors import UserError

PAD, UNKNOWN = "<pad>", "<unk>"


@frozen(eq=False)
class FileTokenizer:
    """A tokenizer that was read from a file.

    Attributes:
        name: what messages call it.
        pad: the token id that fills a row up.
        backend: the `tokenizers` object.
        kind: its model: "BPE", "WordLevel", "WordPiece" or "Unigram".
        images: how its model reads images; None where it reads text only.
    """

    name: str
    pad: int
    backend: tokenizers.Tokenizer = field(repr=False)
    kind: str
    images: ImageLayout | None = None
    _texts: dict[int, str] = field(factory=dict, init=False, repr=False)

    @property
    def unknown(self) -> int | None:
        """The token id of words that it does not know; None where it knows every text."""
        token = getattr(self.backend.model, "unk_token", None)
        return None if token is None else self.backend.token_to_id(token)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, no special tokens added."""
        return self.backend.encode(text, add_special_tokens=False).ids

    def encode_whole(self, text: str) -> list[int]:
        """Token ids of `text` with the special tokens that are added to a whole input."""
        return self.backend.encode(text, add_special_tokens=True).ids

    def decode(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token, with the space before it where it starts a word.

        Law: joined and stripped, the texts read as the sentence that was encoded (a character that
        is spread over several tokens shows as replacement characters).
        """
        texts = []
        for token in map(int, tokens):
            text = self._texts.get(token)
            if text is None:
                text = self._texts[token] = self._text(token)
            texts.append(text)
        return texts

    def _text(self, token: int) -> str:
        raw = self.backend.id_to_token(token)
        if raw is None:
            return f"<{token}>"
        if self.kind == "WordPiece":
            return raw.removeprefix("##") if raw.startswith("##") else f" {raw}"
        if self.kind == "WordLevel":
            return f" {raw}" if raw[0].isalnum() or raw in (PAD, UNKNOWN) else raw
        text = self.backend.decode([token], skip_special_tokens=False)
        # SentencePiece decoders drop the space of a text's first word: each token is one here.
        return f" {text}" if raw.startswith("▁") and not text.startswith(" ") else text


def load_tokenizer(
    directory: Path, name: str | None = None, *, vocabulary: int | None = None
) -> FileTokenizer:
    """The tokenizer in `directory/tokenizer.json`, for `scrub.data.dataset.Recipe.make`.

    Its pad is the pad token that `tokenizer_config.json` or `config.json` names; failing that the
    end-of-text token, the last special token, or 0.

    Args:
        directory: a model's or tokenizer's directory.
        name: what messages call it; default: the directory's name.
        vocabulary: how many tokens its model knows: the pad is among them; None: any.

    Raises:
        UserError: there is no such file, or it is not a tokenizer.
    """
    directory = Path(directory)
    path = directory / "tokenizer.json"
    if not path.is_file():
        why = "it has no tokenizer.json" if directory.is_dir() else "there is no such directory"
        if path.exists() or path.is_symlink():
            why = "its tokenizer.json is no file"
        raise UserError(f"There is no tokenizer in {directory}: {why}.")
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception, whatever is wrong
        reason = " ".join(str(error).split()).rstrip(".")
        raise UserError(f"{path} is not a tokenizer: {reason}.") from error
    backend.no_padding()
    backend.no_truncation()
    kind = type(backend.model).__name__
    pad = _pad(directory, backend, vocabulary)
    return FileTokenizer(name or directory.resolve().name, pad, backend, kind)


def tokenizer_in_memory(theirs: Any, name: str, vocabulary: int) -> FileTokenizer | None:
    """The tokenizer of a model in memory, as one of ours: a copy. None if there is none.

    Its pad is the tokenizer's pad token, failing that the end-of-text token, or 0.

    Args:
        theirs: a fast tokenizer of Hugging Face, also behind a TransformerBridge, or one of the
            `tokenizers` library; others cannot be copied.
        name: what messages call it.
        vocabulary: how many tokens its model knows: the pad is among them.
    """
    inner = backend_of(theirs)
    if inner is None:
        return None
    backend = tokenizers.Tokenizer.from_str(inner.to_str())
    backend.no_padding()
    backend.no_truncation()
    pads = [getattr(theirs, f"{role}_token_id", None) for role in ("pad", "eos")]
    known = [pad for pad in pads if isinstance(pad, int) and pad < vocabulary]
    return FileTokenizer(name, next(iter(known), 0), backend, type(backend.model).__name__)


def backend_of(theirs: Any) -> tokenizers.Tokenizer | None:
    """What does the work of a fast tokenizer; None of anything else."""
    if isinstance(theirs, FileTokenizer):
        return theirs.backend
    inner = getattr(theirs, "backend_tokenizer", theirs)
    return inner if isinstance(inner, tokenizers.Tokenizer) else None


def word_level(words: Iterable[str]) -> tokenizers.Tokenizer:
    """A tokenizer whose tokens are words and punctuation marks.

    `<pad>` is 0, `<unk>` 1, then the words in alphabetical order (duplicates once): the ids depend
    on the set of words alone. Where a word is a contraction ("'re"), "we're" is "we" and "'re".
    """
    vocabulary = {PAD: 0, UNKNOWN: 1}
    for word in sorted(set(words) - vocabulary.keys()):
        vocabulary[word] = len(vocabulary)
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    contracts = any(re.fullmatch(r"'\w+", word) for word in vocabulary)
    tokenizer.pre_tokenizer = (  # type: ignore[misc]  # untyped setter
        pre_tokenizers.Split(tokenizers.Regex(r"'\w+|\w+|[^\w\s]"), "removed", invert=True)
        if contracts
        else pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
        )
    )
    tokenizer.add_special_tokens([PAD, UNKNOWN])
    return tokenizer


def save_word_level(directory: Path, words: Iterable[str], max_length: int) -> FileTokenizer:
    """Write `word_level(words)` where this module and transformers' `AutoTokenizer` find it.

    Args:
        directory: where to write `tokenizer.json` and `tokenizer_config.json`; made if missing.
        words: the vocabulary.
        max_length: the longest input of the model, in tokens.

    Returns:
        The tokenizer, as `load_tokenizer` gives it.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    word_level(words).save(str(directory / "tokenizer.json"))
    config = {
        "backend": "tokenizers",
        "bos_token": PAD,
        "eos_token": PAD,
        "model_max_length": max_length,
        "pad_token": PAD,
        "tokenizer_class": "TokenizersBackend",
        "unk_token": UNKNOWN,
    }
    text = json.dumps(config, indent=2) + "\n"
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
    return load_tokenizer(directory)


def _pad(directory: Path, backend: tokenizers.Tokenizer, vocabulary: int | None) -> int:
    named = _settings(directory / "tokenizer_config.json")
    numbered = _settings(directory / "config.json")
    size = backend.get_vocab_size(with_added_tokens=True)
    known = range(size if vocabulary is None else vocabulary)
    for role in ("pad", "eos"):
        token = named.get(f"{role}_token")
        if isinstance(token, dict):
            token = token.get("content")
        number = backend.token_to_id(token) if isinstance(token, str) else None
        if number is not None and (vocabulary is None or number in known):
            return number
        number = numbered.get(f"{role}_token_id")
        if isinstance(number, list) and number:
            number = number[0]
        if isinstance(number, int) and number in known and number < size:
            return number
    special = [i for i, token in backend.get_added_tokens_decoder().items() if token.special]
    return max((i for i in special if vocabulary is None or i in known), default=0)


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # only the choice of pad hangs on it
        return {}
    return settings if isinstance(settings, dict) else {}
