"""The datasets of the project's top-level `datasets/` folder: `from scrub.datasets import ioi`.

In a wheel their files lie in this package. In a checkout they lie in `datasets/`, which holds no
`__init__.py`, or it would shadow the Hugging Face package of that name; so we add it to our path.
"""

from pathlib import Path

_checkout = Path(__file__).resolve().parents[2] / "datasets"
if (_checkout / "ioi.py").exists():
    __path__.append(str(_checkout))
