"""The reporter that writes a page (`--html`)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from attrs import field, frozen
from markupsafe import Markup

from scrub.errors import UserError
from scrub.report.html.documents import Made, document
from scrub.report.html.looks import looks_part
from scrub.report.html.rendering import render
from scrub.report.html.results import Part, result_part
from scrub.report.html.summary import anchor, summary_part, title_of
from scrub.report.inputs import Drawn
from scrub.results.atomic_write import write_whole
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs
from scrub.runner.prepare import Prepared
from scrub.runner.session import Session

HEADS = 6
"""Heads of a claim that are looked at, at most."""


@frozen(eq=False)
class HtmlReport:
    """Writes one page on all claims of a run, anew with each claim that is finished.

    Law: at any time the file is a whole page with what was finished by then.

    Attributes:
        claims: those of the run, in their order.
    """

    outputs: Outputs
    made: Made
    claims: tuple[Prepared | Inapplicable, ...]
    session: Session
    options: Options
    _finished: list[Result | Inapplicable] = field(factory=list, init=False)
    _sections: list[Markup] = field(factory=list, init=False)

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """Writes the page with one more claim; what cannot be written now must not end the run."""
        self._finished.append(result)
        self._sections.append(self._section(result, len(self._sections)))
        left = len(self.claims) - len(self._finished)
        with suppress(UserError):
            self._write("the run goes on, or was killed" if left else "")

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """Writes the page with a sample of each claim; of a run that was stopped, without.

        A sample is looked at now, since what a run computes must not depend on that.

        Raises:
            UserError: it cannot be written.
        """
        if not stopped:
            for number, result in enumerate(self._finished):
                if isinstance(result, Result) and (look := self._look(result)):
                    self._sections[number] = self._section(result, number, look)
        self._write("the run was stopped" if stopped else "")

    def _section(self, result: Result | Inapplicable, number: int, *further: Part) -> Markup:
        content = result_part(result, further, self._images(result))
        return render("section.html", anchor=anchor(number), content=content)

    def _write(self, state: str) -> None:
        summary = summary_part(self._finished, len(self.claims), state)
        page = document(
            f"scrub: {title_of(self._finished)}",
            summary,
            *self._sections,
            made=self.made,
            script=True,
        )
        assert self.outputs.html is not None
        with self.outputs.writing("--html", self.outputs.html) as file:
            write_whole(file, page)

    def _images(self, result: Result | Inapplicable) -> Drawn | None:
        if isinstance(result, Inapplicable) or result.draws.references.data.images is None:
            return None
        layout = getattr(self._claim(result).model.tokenizer, "images", None)
        return None if layout is None else Drawn(layout)

    def _claim(self, result: Result) -> Prepared:
        (claim,) = (
            claim
            for claim in self.claims
            if isinstance(claim, Prepared) and claim.claim is result.claim
        )
        return claim

    def _look(self, result: Result) -> Part | None:
        """Where the claim's heads look in a sample: the one that loses most, where that is known.

        None: the claim names no head, or the data no end from which it would look.
        """
        from scrub.observations.example import claimed_heads, example

        heads = min(HEADS, len(claimed_heads(result.tree)))
        data = result.draws.references.data
        if not heads or not data.pieces:
            return None
        blame = result.diagnosis.blame if result.diagnosis else None
        sample = blame.worst[0] if blame and blame.worst else 0
        title = f"Sample {sample} (row {result.draws.references.index[sample]})."
        try:
            found = example(
                self._claim(result),
                result.draws,
                self.session,
                self.options,
                sample=sample,
                heads=heads,
            )
        except UserError as error:
            return Part("Where its heads look", render("lines.html", lines=[str(error)]))
        if not found.looking:
            return None
        images = self._images(result)
        layout = images.layout if images else None
        return Part("Where its heads look", looks_part(found, layout, title))
