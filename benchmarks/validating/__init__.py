"""The parts of `validity.py`: models that are known, and claims about them, true and false."""
