"""Determinism between processes: a fresh one, whose strings hash otherwise, draws the same donors.

What a sampler drew may hang on the hashes of strings (of which each process has its own), on the
order of a set of them, or on how often it was called before. So the donors of this process are held
against the first that a fresh one draws, which makes the data and the sampler anew from the file.
One process answers for all samplers; the tokenizer is read there, no weights. What hashes decide
between k equally is decided alike in one of k pairs of processes, and is then found another time.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import IO, Any

from attrs import evolve, frozen

from scrub.data.dataset import Rows
from scrub.errors import UserError, in_words, shortened
from scrub.testing.cases import Broken, Case, contents, entry, fingerprint
from scrub.testing.origins import Origin, Rebuilt, sent

SECONDS = 300
"""Patience with the other process. It starts in a few seconds, and draws once from each sampler."""
THERE = "SCRUB_SECOND_PROCESS"
"""Set there, where no third one is started."""


@frozen
class NotCompared:
    """That another process could not be asked.

    Attributes:
        why: goes on from "it ".
    """

    why: str

    def __str__(self) -> str:
        return f"not drawn from in a second process: it {self.why}"


@frozen(eq=False)
class Asked:
    """What the other process is asked: the draws of a case."""

    origin: Origin
    seed: int
    draws: int


@frozen(eq=False)
class Second:
    """The other process, at work.

    Attributes:
        questions: of each case what it was asked, or why it could not be.
    """

    process: subprocess.Popen[bytes] | None
    questions: Sequence[Asked | NotCompared]
    answers: IO[bytes]
    said: IO[bytes]

    def found(self, cases: Sequence[Case]) -> list[Broken | NotCompared | None]:
        """Of each case the broken law, why it was not asked, or None: its draws are the same."""
        told = iter(self._told())
        return [
            question if isinstance(question, NotCompared) else _compared(case, next(told))
            for case, question in zip(cases, self.questions, strict=True)
        ]

    def _told(self) -> list[dict[str, Any]]:
        """What the process answered to each question."""
        asked = sum(isinstance(question, Asked) for question in self.questions)
        if self.process is None:
            return []
        try:
            code = self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            return [{"failed": f"took more than {SECONDS} seconds there"}] * asked
        self.answers.seek(0)
        try:
            told = json.loads(self.answers.read())
        except ValueError:
            self.said.seek(0)
            last = self.said.read().decode(errors="replace").strip().splitlines()[-1:]
            why = f"ended the process, with code {code}{': ' if last else ''}{''.join(last)}"
            return [{"failed": shortened(why)}] * asked
        assert len(told) == asked
        return told


@contextmanager
def second_process(questions: Sequence[Asked | NotCompared]) -> Iterator[Second]:
    """A process that is asked these questions, and is ended with this context."""
    if os.environ.get(THERE):
        questions = [NotCompared("is in a second process already") for _ in questions]
    asked = [question for question in questions if isinstance(question, Asked)]
    with tempfile.TemporaryFile() as answers, tempfile.TemporaryFile() as said:
        process = _started(asked, answers, said) if asked else None
        try:
            yield Second(process, questions, answers, said)
        finally:
            if process is not None:
                process.kill()
                process.wait()


def broken_between_processes(cases: Sequence[Case]) -> list[Broken | NotCompared | None]:
    """Of each sampler whether a second process draws other donors from it; one process for all.

    Returns:
        The broken law, or why it could not be asked; None: it draws the same.
    """
    questions = [asked_as_sent(case) for case in cases]
    with second_process(questions) as second:
        return second.found(cases)


def asked_as_sent(case: Case) -> Asked | NotCompared:
    """The question about a sampler that is sent as it is."""
    try:
        return Asked(sent(case), case.seed, case.draws)
    except UserError as error:
        return NotCompared(str(error))


def _started(
    asked: Sequence[Asked], answers: IO[bytes], said: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A Python that finds the modules that this one finds, and in which strings hash otherwise."""
    other = "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"
    code = (
        "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
        "from scrub.testing.processes import answer; answer()"
    )
    with tempfile.TemporaryFile() as questions:
        pickle.dump(list(asked), questions)
        questions.seek(0)
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code, json.dumps(_path())],
            stdin=questions,
            stdout=answers,
            stderr=said,
            env={**os.environ, "PYTHONHASHSEED": other, THERE: "1"},
        )


def _path() -> list[str]:
    """Where modules are looked for: "" stands for the working directory, if that is still there."""
    try:
        return [folder or os.getcwd() for folder in sys.path]
    except OSError:
        return [folder for folder in sys.path if folder]


# In the other process


def answer() -> None:
    """Answer what standard input asks on standard output, on which nothing else is written."""
    asked = pickle.load(sys.stdin.buffer)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    rebuilt = Rebuilt()
    with redirect_stdout(sys.stderr):
        told = [_answered(question, rebuilt) for question in asked]
    with answers:
        json.dump(told, answers)


def _answered(question: Asked, rebuilt: Rebuilt) -> dict[str, Any]:
    try:
        made = question.origin.case(rebuilt)
    except BaseException as error:  # whatever the user's file raises, sys.exit() too
        return {"failed": f"cannot be made there: {in_words(error)}"}
    case = evolve(made, seed=question.seed, draws=question.draws)
    try:
        drawn = case.drawn(case.every_row())
    except UserError as error:
        return {"refused": error.problems[0].what}
    return {"data": fingerprint(case.data), "donors": donors_of(case, drawn)}


# In either


def donors_of(case: Case, drawn: Rows) -> list[Any]:
    """The donors as both processes call them: rows of the data by number, others by content."""
    return drawn.index.tolist() if drawn.data is case.data else contents(drawn)


def _compared(case: Case, told: dict[str, Any]) -> Broken | NotCompared | None:
    if "failed" in told:
        return NotCompared(told["failed"])
    if "refused" in told:
        return Broken("determinism", f"in a second process it is refused: {told['refused']}", [])
    if told["data"] != fingerprint(case.data):
        what = f'a second process makes other data under the name "{case.data.name}"'
        return Broken("determinism", what, [])
    references = case.every_row()
    drawn = case.drawn(references)
    mine, theirs = donors_of(case, drawn), told["donors"]
    other = [n for n, (one, two) in enumerate(zip(mine, theirs, strict=True)) if one != two]
    if not other:
        return None
    sample = other[0]
    row: dict[str, Any] = {"sample": sample} | entry("reference", references, sample)
    row |= entry("donor", drawn, sample)
    row |= {"donor there": theirs[sample] if isinstance(theirs[sample], int) else "another input"}
    what = (
        f"in a second process a sample has another donor ({len(other):,} of {len(mine):,} do): it "
        "depends on hash(), on the order of a set, or on what was drawn before"
    )
    return Broken("determinism", what, [row])
