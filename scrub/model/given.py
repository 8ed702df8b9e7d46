"""Models that a user's code gives: in memory with all that belongs to them, or by a function."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from typing import Any

import torch
from attrs import field, frozen

from scrub.errors import UserError, in_line, in_words
from scrub.model import in_memory as memory
from scrub.model.llava_config import is_llava
from scrub.model.tokenizer import backend_of
from scrub.printing import html_of, name_problem, one_line, printed

TOKENIZERS = (
    "Give a fast tokenizer of Hugging Face (AutoTokenizer.from_pretrained(…)), one of the "
    "tokenizers library, or a directory with a tokenizer.json; or leave it out."
)


def _model(given: Model, attribute: object, value: Any) -> None:
    if isinstance(value, str | PathLike):
        raise UserError(
            f"scrub.Model takes a model that is in memory, and {printed(value)} is named by where "
            "it lies. Give that as model= itself; its roles stand in a roles.toml beside it."
        )
    memory.kind_of(value)
    if is_llava(memory.settings_of(value)):
        raise UserError(
            "model= is a LLaVA, which reads images as its processor gives them, and a model in "
            "memory has none. Write model and processor to one directory by save_pretrained, and "
            "give that."
        )


def _tokenizer(given: Model, attribute: object, value: Any) -> None:
    if value is not None and not isinstance(value, str | PathLike) and backend_of(value) is None:
        raise UserError(f"scrub.Model: tokenizer= is of type {type(value).__name__}. {TOKENIZERS}")


def _frozen(roles: Any) -> Any:
    """Roles with their heads listed, where they are a table of any kind."""
    if not isinstance(roles, Mapping):
        return roles
    lists = {role: not isinstance(h, str) and isinstance(h, Iterable) for role, h in roles.items()}
    return {role: tuple(h) if lists[role] else h for role, h in roles.items()}


def _roles(given: Model, attribute: object, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, Mapping) or not all(isinstance(role, str) for role in value):
        raise UserError(
            f"scrub.Model: roles= is {printed(value)}. Give heads by the names of their roles: "
            '{"name mover": [(9, 9), (10, 0)]}.'
        )


def _name(given: Model, attribute: object, value: Any) -> None:
    problem = "" if value is None else name_problem(value)
    if problem:
        raise UserError(f"scrub.Model: {problem}")


@frozen(eq=False)
class Model:
    """A model of your own that is in memory, with its tokenizer and the roles of its heads.

        MODEL = scrub.Model(hf, tokenizer, roles={"name mover": [(9, 9), (10, 0)]}, name="mine")

    It is taken wherever a model is: as MODEL of a file, as `model=`, and on the command line as
    `--model FILE.py::VARIABLE`. What counts is what it is when a run begins. Law: the results are
    those of the same weights and tokenizer in a directory.

    Attributes:
        model: a causal language model of Hugging Face, or a TransformerBridge.
        tokenizer: a fast tokenizer of Hugging Face, one of the tokenizers library, or a directory
            with a tokenizer.json; None: the bridge's own, or none.
        roles: heads by role, as `heads` takes them; None: those that are published for its name.
        name: what reports call it, with "in memory" behind; None: the name in its configuration.

    Raises:
        UserError: one of these is not what it says. What the model lacks is said in a run.
    """

    model: Any = field(validator=_model)
    tokenizer: Any = field(default=None, validator=_tokenizer)
    roles: Mapping[str, str | Iterable[tuple[int, int] | str]] | None = field(
        default=None, converter=_frozen, validator=_roles
    )
    name: str | None = field(default=None, validator=_name)

    @property
    def weights_sha256(self) -> str:
        """Of the weights as they now are: what a run record says of this model."""
        return memory.sha256_of(self.model)

    @property
    def key(self) -> tuple[object, ...]:
        """The same for two models that are described alike."""
        backend = backend_of(self.tokenizer)
        said = str(self.tokenizer) if backend is None else backend.to_str()
        more = hashlib.sha256(repr((said, self.roles)).encode()).hexdigest()
        return memory.identity(self.model), more, self.name

    def __repr__(self) -> str:
        named = "" if self.name is None else f", name={self.name!r}"
        return one_line(f"Model({type(self.model).__name__}{named})")

    def _repr_html_(self) -> str:
        return html_of(self)


def is_maker(value: object) -> bool:
    """Whether it is a function that makes a model, and not itself one."""
    return callable(value) and not isinstance(value, type | torch.nn.Module)


def made(maker: Callable[[], Any]) -> Any:
    """What a function of the user's makes.

    Raises:
        UserError: whatever it raises; or it makes a function again.
    """
    named = getattr(maker, "__name__", type(maker).__name__)
    code = getattr(maker, "__code__", None)
    try:
        found = maker()
    except (UserError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever the user's function raises, sys.exit() too
        where = in_line(error, code.co_filename if code else "")
        raise UserError(
            f"Making the model by {named}() failed{where}: {in_words(error)}. It is called without "
            "arguments."
        ) from error
    if found is None or is_maker(found):
        what = "None" if found is None else "a function"
        raise UserError(f"model= is the function {named}, which returns {what}, and no model.")
    return found
