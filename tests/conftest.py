"""One thread a process: two torch processes that each take all cores wait for each other.

And a cache directory of the tests' own: what they check is nothing that a user need remember.
"""

import os
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, so before all else
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
os.environ.setdefault("MPLCONFIGDIR", str(CACHES / "matplotlib"))  # its list of fonts takes seconds
CACHE = tempfile.TemporaryDirectory()
os.environ["XDG_CACHE_HOME"] = CACHE.name
pytest.register_assert_rewrite("oracle", "support")
