"""How another process comes by a sampler: made again where it was made here, or sent there."""

from __future__ import annotations

import importlib.util
import io
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from attrs import field, frozen

from scrub.data.dataset import Dataset
from scrub.errors import UserError, in_words
from scrub.hypothesis.correspondence import Correspondence
from scrub.hypothesis.tree import NamePath, Tree, treeify
from scrub.testing.cases import Case

if TYPE_CHECKING:
    from scrub.hypothesis.collect import Collected
    from scrub.runner.session import Session


@frozen(eq=False)
class Rebuilt:
    """What a process has made again so far: each file is executed once, and each claim built once.

    Attributes:
        files: the claims of a file, with what they share.
        claims: by file, name and model the tree and the data of a claim.
    """

    files: dict[str, tuple[Session, list[Collected]]] = field(factory=dict)
    claims: dict[tuple[str, str, str | None], tuple[Tree, Dataset]] = field(factory=dict)


class Origin(Protocol):
    """Where a sampler is from."""

    def case(self, rebuilt: Rebuilt) -> Case:
        """The sampler on its data.

        Raises:
            Exception: it cannot be made here.
        """
        ...


@frozen
class OfClaim:
    """A sampler at a node of a hypothesis file's claim.

    Attributes:
        model: the one that was given instead of the claim's own; None: none was.
        which: "own" or "other".
    """

    file: str
    claim: str
    model: str | None
    path: NamePath
    which: str

    def case(self, rebuilt: Rebuilt) -> Case:
        key = (self.file, self.claim, self.model)
        if key not in rebuilt.claims:
            rebuilt.claims[key] = self._built(rebuilt)
        tree, data = rebuilt.claims[key]
        (node,) = (node.node for node in tree.walk() if node.path == self.path)
        return Case(node.sampler if self.which == "own" else node.other, data)

    def _built(self, rebuilt: Rebuilt) -> tuple[Tree, Dataset]:
        from scrub.hypothesis.collect import collect

        claims = collect([self.file]) if self.file not in rebuilt.files else []
        from scrub.runner.options import Options  # torch, for which nobody else has to wait
        from scrub.runner.prepare import bound_hypothesis
        from scrub.runner.session import Session

        session, claims = rebuilt.files.setdefault(self.file, (Session(), claims))
        (item,) = (item for item in claims if item.claim.name == self.claim)
        _, data, correspondence = bound_hypothesis(item, session, Options(model=self.model))
        assert isinstance(correspondence, Correspondence), "only claims that apply have samplers"
        return treeify(correspondence), data


@frozen
class OfTests:
    """A class of tests that `sampler_laws` made, by its name in a module."""

    module: str
    file: str
    name: str

    def case(self, rebuilt: Rebuilt) -> Case:
        return getattr(_module(self.module, self.file), self.name).case()


@frozen
class Sent:
    """A sampler and its data as they are.

    Attributes:
        content: pickled: classes and functions by the modules in which they are found.
        modules: the files of these modules.
    """

    content: bytes = field(repr=False)
    modules: Mapping[str, str]

    def case(self, rebuilt: Rebuilt) -> Case:
        for name, file in self.modules.items():
            _module(name, file)
        return Case(*pickle.loads(self.content))


def sent(case: Case) -> Sent:
    """A sampler as another process gets it, wherever it is from.

    Raises:
        UserError: why it cannot be sent. (The sentence goes on from "it ".)
    """
    content = io.BytesIO()
    noting = _Noting(content)
    try:
        noting.dump((case.sampler, case.data))
    except Exception as error:  # whatever pickle, or a class of the user's, makes of it
        raise UserError(f"cannot be sent there: {in_words(error)}") from error
    if "__main__" in noting.modules:
        raise UserError("is made of what a notebook or script defines: put that into a module")
    files = {name: getattr(sys.modules[name], "__file__", None) for name in noting.modules}
    return Sent(content.getvalue(), {name: file for name, file in files.items() if file})


class _Noting(pickle.Pickler):
    """A pickler that notes the modules of classes and functions."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()

    def reducer_override(self, given: Any) -> Any:
        if isinstance(given, type | FunctionType) and given.__module__ in sys.modules:
            self.modules.add(given.__module__)
        return NotImplemented


def origin_of_tests(tests: type, case: Case) -> Origin:
    """Where a class of tests is from.

    Raises:
        UserError: another process cannot come by its sampler. (The sentence goes on from "it ".)
    """
    module = sys.modules.get(tests.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None or module.__name__ == "__main__":
        return sent(case)
    names = [name for name, value in vars(module).items() if value is tests]
    return OfTests(module.__name__, file, names[0]) if names else sent(case)


def _module(name: str, file: str) -> ModuleType:
    """A module by its name, if that leads to this file; else the file, under this name."""
    if name in sys.modules:
        return sys.modules[name]
    try:
        known = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        known = None
    if known is not None and known.origin and Path(known.origin) == Path(file):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
