"""The file in which a search keeps what it has measured, written after each sweep.

It lies in `.scrub/` in the directory in which the command was started, and stays there: the same
command goes on from it, also with another criterion, or other heads kept or dropped. What is in it
is used only under the fingerprint of all that determines it (`scrub.runner.fingerprint`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from scrub.draw import draw
from scrub.results.atomic_write import write_whole
from scrub.runner.fingerprint import Fingerprints
from scrub.runner.opened_files import digest, so_far
from scrub.runner.outputs import Outputs
from scrub.runner.partial_results import FOLDER
from scrub.searches.found import ROOT
from scrub.searches.measure import prepared_sweep
from scrub.searches.measured import Attention, as_json, from_json
from scrub.searches.path_search import PathSearch

SCHEMA = "scrub.search/1"


@frozen
class StateFile:
    """Where a search keeps what it has measured.

    Attributes:
        file: from the start, as messages call it.
        start: the directory in which the command was started.
    """

    file: Path
    start: Path
    fingerprint: str

    @staticmethod
    def of(search: PathSearch, outputs: Outputs) -> StateFile:
        """The file of a search: other commands have other files.

        Raises:
            UserError: the model cannot be loaded, or the first sweep makes no sense.
        """
        options = search.context.options
        asked = (search.item.name, search.settings.asked, options.model, options.seed, "find")
        name = hashlib.sha256(repr(asked).encode()).hexdigest()[:12]
        return StateFile(FOLDER / f"{name}.json", outputs.start, _fingerprint(search))

    def save(self, search: PathSearch) -> str:
        """Write it; why it was not written, "" if it was."""
        said = {
            "schema": SCHEMA,
            "fingerprint": self.fingerprint,
            "files": so_far(),
            **state_as_json(search),
        }
        try:
            (self.start / FOLDER).mkdir(exist_ok=True)
            write_whole(self.start / FOLDER / ".gitignore", "*\n")
            write_whole(self.start / self.file, json.dumps(said) + "\n")
        except OSError as error:  # a full disk must not end a search that is otherwise well
            return f"{self.file}: {error.strerror}"
        return ""

    def resumed(self, search: PathSearch) -> tuple[PathSearch, str]:
        """The search with what an earlier one measured, and why that was not used; "" if it was."""
        path = self.start / self.file
        if not path.is_file():
            return search, ""
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            if said["fingerprint"] != self.fingerprint:
                return search, ""
            changed = [name for name, content in said["files"].items() if digest(name) != content]
            if changed:
                return search, f"{changed[0]}, which the file reads, has changed"
            return with_state(search, said), ""
        except OSError as error:
            return search, str(error.strerror)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return search, "it is damaged"

    def remove(self) -> None:
        """Forget what was measured."""
        (self.start / self.file).unlink(missing_ok=True)


def state_as_json(search: PathSearch) -> dict[str, Any]:
    """What was measured, as JSON has it."""
    return {
        "attends": [[*head, at, one.to, one.share] for (head, at), one in search.attends.items()],
        "measured": [as_json(one) for one in search.measured],
    }


def with_state(search: PathSearch, said: Mapping[str, Any]) -> PathSearch:
    """A search with what was measured. Law: it finds what the one that was written had found."""
    attends = {
        ((layer, head), at): Attention(to, share) for layer, head, at, to, share in said["attends"]
    }
    measured = tuple(from_json(one) for one in said["measured"])
    return evolve(search, attends=attends, measured=measured)


def _fingerprint(search: PathSearch) -> str:
    """Of all that determines the measurements: the first sweep's inputs, model, data and code."""
    graph, context = search.model.graph, search.context
    sweep = prepared_sweep(search.seen, ROOT, search.settings, search.metric, graph, context)
    options = context.options
    model = context.session.load(sweep.base.model, options.dtype, options.device)
    root = sweep.trees[0]
    draws = draw(root, sweep.base.data, samples=options.samples, seed=options.seed)
    base = Fingerprints.of_claims([sweep.base]).of(sweep.base, model, options, draws)
    said = (base, search.settings.asked, options.samples)
    return hashlib.sha256(repr(said).encode()).hexdigest()
