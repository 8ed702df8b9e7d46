"""Three tasks that one model solves: behaviours whose circuits are compared."""

from scrub.datasets import marks

MODEL = "marks-shared"  # or marks-separate, by --model

a = marks.behaviour("a", 500)
b = marks.behaviour("b", 500)
c = marks.behaviour("c", 500)
