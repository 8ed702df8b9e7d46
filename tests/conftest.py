"""One thread a process: two torch processes that each take all cores wait for each other.

And a cache directory of the tests' own: what they check is nothing that a user need remember. And a
garbage collector that seldom looks: a process of all tests holds a million objects that stay, and
plans are many small ones, so that looking through them all took a sixth of the time.
"""

import gc
import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, so before all else
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("MPLCONFIGDIR", str(CACHES / "matplotlib"))  # its list of fonts takes seconds
CACHE = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = CACHE.name
gc.set_threshold(20_000, 20, 50)
pytest.register_assert_rewrite("oracle", "support")


def pytest_collection_finish() -> None:
    """What is imported and collected stays: it need not be looked at again."""
    gc.collect()
    gc.freeze()
