"""Five behaviours of one model, whose circuits are compared: sequences, greater-than, IOI.

After Lan, Torr and Barez 2024 (arXiv 2311.04131). In a corrupted prompt all that a circuit brings
to END is another: members stand in an order that is no sequence, the year is 01 of another century,
both people are others.
"""

from scrub import Paired
from scrub.datasets import greater_than, ioi, sequences

MODEL = "numbers-shared"  # or numbers-separate, by --model

GOING = {"directions": ("up", "down"), "steps": (1, 2), "seed": 1}
YEARS = greater_than.prompts(400, seed=1)
PEOPLE = ioi.prompts(400, seed=1)
YEAR_01 = greater_than.changed(greater_than.changed(YEARS, "century"), "01")
OTHERS = ioi.flip(ioi.flip(PEOPLE, "io"), "s")

digits = sequences.behaviour(400, kinds="digits", corrupt="shuffled", name="digits", **GOING)
words = sequences.behaviour(400, kinds="words", corrupt="shuffled", name="words", **GOING)
months = sequences.behaviour(400, kinds="months", corrupt="shuffled", name="months", **GOING)
greater = greater_than.behaviour(400, seed=1, corrupt=Paired(YEAR_01), name="greater")
indirect = ioi.behaviour(400, seed=1, corrupt=Paired(OTHERS), name="ioi")
