"""The reporter that draws one figure a claim (`--figures`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from rich.text import Text

from scrub.report.console import terminal
from scrub.results.inapplicable import Inapplicable
from scrub.results.result import Result
from scrub.runner.options import Options
from scrub.runner.outputs import Outputs, record_folder
from scrub.runner.prepare import Prepared
from scrub.runner.session import Session


@frozen(eq=False)
class FiguresFolder:
    """Draws an example of each claim whose data has images, when the run has come to its end.

    Attributes:
        folder: where the figures go, made if missing.
        claims: those of the run.
        quiet: print nothing.
    """

    folder: Path
    outputs: Outputs
    claims: tuple[Prepared, ...]
    session: Session
    options: Options
    quiet: bool = False

    def claim_finished(self, result: Result | Inapplicable) -> None:
        """Draws nothing yet: what a run computes must not depend on what is drawn meanwhile."""

    def run_finished(self, results: Sequence[Result | Inapplicable], *, stopped: bool) -> None:
        """Draws the first sample of each claim, and says where; nothing if the run was stopped.

        Raises:
            UserError: a file cannot be written.
        """
        judged = [result for result in results if isinstance(result, Result)]
        if stopped or not judged:
            return
        blind = [result.claim.name for result in judged if not _has_images(result)]
        for result in judged:
            if _has_images(result):
                self._draw(result)
        drawn = len(judged) - len(blind)
        if drawn and not self.quiet:
            _print(f"{drawn} figure{'s' * (drawn != 1)} in {self.folder}")
        if blind and not self.quiet:
            whose = "" if not drawn else f" of {', '.join(blind)}"
            _print(f"--figures: nothing to draw{whose}: the data has no images")

    def _draw(self, result: Result) -> None:
        (claim,) = (claim for claim in self.claims if claim.claim is result.claim)
        layout = getattr(claim.model.tokenizer, "images", None)
        assert layout is not None, "a model that is given images reads them"
        from scrub.observations.example import example
        from scrub.report.example_figure import example_figure
        from scrub.sweeps.heatmap import save_figure

        found = example(claim, result.draws, self.session, self.options)
        says = f"{claim.name} on {result.model}: {result.claim.belief}"
        judged = f"{says} Verdict: {result.judgement.verdict}. Sample 0."
        figure = example_figure(found, layout, judged)
        folder = record_folder(self.folder, claim, self.claims)
        with self.outputs.writing("--figures", folder / f"{claim.claim.name}.png") as file:
            file.parent.mkdir(parents=True, exist_ok=True)
            save_figure(figure, file)


def _has_images(result: Result) -> bool:
    return result.draws.references.data.images is not None


def _print(line: str) -> None:
    terminal().print(Text(line), highlight=False)
