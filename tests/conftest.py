"""One thread a process: two torch processes that each take all cores wait for each other."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported, so before all else
pytest.register_assert_rewrite("oracle", "support")
