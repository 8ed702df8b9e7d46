"""Where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HYPOTHESES = ROOT / "hypotheses"
SHARED_MODELS = ROOT.parent / "shared" / "models"
"""Models that are not part of the repository: tests that need them are skipped without."""
