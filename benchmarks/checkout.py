"""The checkout that scripts lie in: whoever imports this can import scrub from it, uninstalled."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EMBEDDED = ROOT / "scrub" / "model" / "embedded"
"""Where the embedded models lie, each in a folder of its name."""

sys.path.insert(0, str(ROOT))
