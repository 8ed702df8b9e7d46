"""The folder in which commands keep plain values for the next one (`--cache DIR`)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from attrs import field, frozen

from scrub.engine.kept_values import KeptValues, ValueFolder
from scrub.errors import UserError
from scrub.model.registry import Model
from scrub.runner.fingerprint import PACKAGE, code_hash, model_files


@frozen(eq=False, slots=False)
class Kept:
    """What is kept of each model of a session."""

    folder: ValueFolder
    _models: dict[int, tuple[Model, KeptValues]] = field(factory=dict, init=False)
    """With the model, so that its identity stays its own."""

    @cached_property
    def _code(self) -> str:
        return code_hash(PACKAGE)

    def of(self, model: Model) -> KeptValues | None:
        """Of a model; None for a graph of functions, of which nothing says what they compute."""
        if not model.sha256:
            return None
        if id(model) not in self._models:
            key = f"{model.sha256} {model_files(model.directory)} {self._code}"
            self._models[id(model)] = (model, KeptValues(self.folder, key, model.graph))
        return self._models[id(model)][1]


def kept_in(folder: Path, budget: int, says: Callable[[str], None]) -> Kept:
    """A folder of values, made if it is not there.

    Raises:
        UserError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"--cache {folder}: this is a file. Name a folder.") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UserError(f"--cache {folder}: the folder cannot be made: {why}.") from None
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(
            f"--cache {folder}: the folder cannot be written. Name one that you may write."
        )
    return Kept(ValueFolder(folder.resolve(), budget, says))
