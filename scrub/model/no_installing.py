"""Nothing that scrub does may install anything: libraries that try to are stopped.

TransformerLens installs torchvision by pip where a model's processor needs it, and thereby replaces
torch: `_ensure_torchvision` of its loader's helpers.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NoReturn
from unittest import mock

from scrub.errors import UserError

HELPERS = "transformer_lens.model_bridge.sources.transformers.helpers"
INSTALLER = "_ensure_torchvision"


@contextlib.contextmanager
def nothing_installed() -> Iterator[None]:
    """Inside the block a library that begins to install something meets a `UserError`.

    The library's own way to install is stopped, and so is every subprocess that runs an installer,
    in case that it has another.
    """
    with contextlib.ExitStack() as stack:
        helpers = sys.modules.get(HELPERS)
        if hasattr(helpers, INSTALLER):
            stack.enter_context(mock.patch.object(helpers, INSTALLER, _refuse))
        stack.enter_context(mock.patch.object(subprocess, "Popen", _Popen))
        yield


def _refuse(*given: Any) -> NoReturn:
    raise UserError(
        "To load this model TransformerLens would install torchvision, which may replace torch, "
        "and scrub installs nothing. Install what its processor needs yourself, with the versions "
        "that you want, or use another model."
    )


class _Popen(subprocess.Popen[Any]):
    """A process that is no installer."""

    def __init__(self, args: Any, *more: Any, **named: Any) -> None:
        if installs(args):
            _refuse()
        super().__init__(args, *more, **named)


def installs(args: Any) -> bool:
    """Whether a command line is one that installs packages."""
    words = args.split() if isinstance(args, str) else [str(word) for word in args]
    return "install" in words and any(
        word.endswith(("pip", "pip3", "uv", "conda")) for word in words
    )
