"""The words of the indirect-object-identification prompts: templates, names, objects, places.

Every name is one token of GPT-2's tokenizer after a space; no name is a word of a template, an
object, a place or a prefix.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TEMPLATES: tuple[str, ...] = (
    "When {A} and {B} went to the {place}, {S} gave a {object} to",
    "Then, {A} and {B} talked, and {S} said to",
    "After {A} and {B} left the {place}, {S} handed the {object} to",
    "While {A} and {B} were working at the {place} late in the evening, {S} sang to",
    "Then, {A} was sitting near {B} at the {place}, and {S} reached over and gave the old "
    "{object} to",
    "When {A} met {B} near the {place}, {S} was happy to show the {object} to",
    "Friends {A} and {B} found a {object} at the {place}, and {S} gave it to",
    "The {place} was busy when {A} saw {B}, so {S} threw the {object} to",
    "At the {place}, {A} and {B} wanted the {object} for a long time, but {S} was kind and left "
    "it to",
    "Once {A} and {B} sat down, {S} passed the {object} to",
    "Today {A} was with {B} at the {place} for most of the day, and so {S} talked to",
    "In the end, {A} and {B} had to share the {object} again, so {S} was happy to lend it to",
    "There was a {object} on the table when {A} and {B} came in at last, and {S} brought it to",
    "Because {A} had helped {B} with the {object} all day long, {S} said thank you again to",
    "Long ago, {A} and {B} lived in a small house by the {place}, and later {S} would sell the "
    "{object} to",
    "Earlier {A} fought with {B}, so {S} wrote to",
    "When {A} and {B} came home from the {place}, {S} showed the {object} to",
    "Today {A} and {B} found a new {object} outside, and {S} gave it to",
)
"""{A} and {B} are the IO and S1 in either order, {S} is S2.

How far apart names and END are varies so that no distance tells which of the two names came first:
for most prompts there is another of the other order with the same distance from the IO to END, and
from S1 to S2. The texts from {B} to {S} are 3 to 12 tokens long, those from {S} to END 2 to 8, the
lengths spread about evenly."""

SENTENCES: tuple[str, ...] = (
    "It rained.",
    "Nobody spoke.",
    "Time passed.",
    "It was late.",
    "It was cold outside.",
    "The sky was clear.",
    "Nothing much had happened.",
    "It was a warm day.",
    "Everyone was in a hurry.",
    "There was music in the street.",
    "The sun was still very low.",
    "The week had been long and quiet.",
)

ENDINGS: tuple[str, ...] = ("So", "But", "And", "Yet", "Later,", "Still,", "And so", "But now")

OBJECTS: tuple[str, ...] = _words(
    "ring bone basketball computer necklace drink snack book ball key map phone ticket camera "
    "coin card hat flower gift clock watch knife bag bottle box cup pen lamp pencil cake"
)

PLACES: tuple[str, ...] = _words(
    "store garden restaurant school hospital office house station park beach library museum "
    "market church theater farm hotel bank lake gym airport bar river castle bridge"
)

NAMES: tuple[str, ...] = _words(
    "Aaron Adam Alan Alex Alice Amy Andrew Anna Anthony Arthur Barbara Bob Brian Bruce Carl Carol "
    "Charles Chris Claire Craig Daniel David Diana Donald Douglas Edward Elizabeth Ellen Emily "
    "Emma Eric Eva Evan Frank Fred Gary George Gordon Greg Hannah Harry Helen Henry Howard Hugh "
    "Ian Jack Jacob James Jane Jason Jeff Jennifer Jeremy Jessica Jim Joan John Jonathan Joseph "
    "Joshua Julia Justin Karen Kate Keith Kevin Kim Kyle Larry Laura Lauren Leo Linda Lisa Lucy "
    "Luke Margaret Maria Martin Mary Matthew Melissa Michael Michelle Molly Monica Nancy Nathan "
    "Nicole Oliver Olivia Oscar Patrick Paul Peter Philip Rachel Ralph Rebecca Richard Robert "
    "Roger Ryan Sam Samuel Sandra Sarah Scott Sean Simon Sophie Stephen Steve Susan Theresa Thomas "
    "Tim Tom Tony Victoria Vincent Walter William"
)
