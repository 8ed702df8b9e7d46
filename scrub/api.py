"""Tests from Python and in notebooks: what the command line gives, as frozen results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import fields, frozen

from scrub.collect import Collected
from scrub.diagnostics.blame import Blame
from scrub.diagnostics.nulls import NULLS
from scrub.diagnostics.report import swap_in_words
from scrub.diagnostics.run import NOTHING, WORST, Asked, diagnose
from scrub.diagnostics.waterfall import waterfall
from scrub.errors import UserError, did_you_mean
from scrub.hypothesis import Claim
from scrub.options import Options, check_device
from scrub.pipeline import scrub_claim
from scrub.prepare import Prepared, Session, prepare
from scrub.results import Result

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DIAGNOSED = Asked(nulls=NULLS, conventions=True, specificity=True)


def run(
    claim: Claim, *, session: Session | None = None, diagnosed: bool = False, **options: Any
) -> Result:
    """Test one claim: `scrub.run(by_value, model="ioi-planted")`, as `scrub test` does.

    Args:
        claim: a function decorated with `@claim`.
        session: keeps models, data and plain activations between calls, where one is given:
            `session = scrub.Session()`.
        diagnosed: also nulls, conventions and specificity, in `result.diagnosis`: what
            `scrub test --diagnose` prints.
        options: as in `Options`: model, samples, precision, seed, device, dtype, memory, alone.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    return _run("run", claim, session or Session(), DIAGNOSED if diagnosed else NOTHING, options)


def explain(
    claim: Claim, *, rows: int = WORST, session: Session | None = None, **options: Any
) -> Explanation:
    """Blame: which swap of a claim, and which path, loses how much, as `scrub explain` says.

    Args:
        rows: how many of the references that lose most are listed.
        session, options: as in `run`.

    Raises:
        UserError: the claim is illegal, or an option is not one.
    """
    asked = Asked(blame=True, worst=rows)
    return Explanation(_run("explain", claim, session or Session(), asked, options))


@frozen(eq=False, repr=False)
class Explanation:
    """Where a claim loses what it loses. In a notebook it shows itself as a table.

    Attributes:
        result: of the claim itself.
    """

    result: Result

    @property
    def blame(self) -> Blame:
        """Every swap with its paths, and the samples that lose most."""
        assert self.result.diagnosis is not None
        assert self.result.diagnosis.blame is not None
        return self.result.diagnosis.blame

    @property
    def frame(self) -> pd.DataFrame:
        """One row a swap, in order from the root; in shares of baseline − original.

        `lost_alone`, `lost_last` and `lost_in_order`, each with the ends of its interval. Law: what
        is lost in order adds up to what the claim loses.
        """
        import pandas as pd

        found = []
        for loss in self.blame.swaps:
            _, draws = swap_in_words(self.result.tree, loss.swap)
            row: dict[str, Any] = {"node": " / ".join(loss.swap.path), "draws": draws}
            kinds = {"alone": loss.alone, "last": loss.last, "in_order": loss.step}
            for kind, lost in kinds.items():
                row[f"lost_{kind}"] = lost.mean
                row |= {f"lost_{kind}_low": lost.low, f"lost_{kind}_high": lost.high}
            found.append(row)
        return pd.DataFrame(found)

    @property
    def worst(self) -> pd.DataFrame:
        """The references that lose most, the worst first: as in `result.frame`."""
        return self.result.frame.iloc[list(self.blame.worst)]

    def plot(self) -> Figure:
        """What is lost from the root down, as a waterfall."""
        claim = self.result.claim
        return waterfall(self.result.tree, self.blame, f"{claim.name}: {claim.belief}")

    def __repr__(self) -> str:
        lost = self.blame.total
        return (
            f"Explanation({self.result.claim.name}: loses {lost.mean:.3f} "
            f"[{lost.low:.3f}, {lost.high:.3f}] in {len(self.blame.swaps)} swaps)"
        )

    def _repr_html_(self) -> str:
        return self.frame._repr_html_()  # type: ignore[operator]  # untyped in pandas


def _run(
    called: str, claim: Claim, session: Session, asked: Asked, options: dict[str, Any]
) -> Result:
    prepared, chosen = _prepared(called, claim, session, options)
    result = scrub_claim(prepared, session, chosen, lambda samples: None)
    return result if asked == NOTHING else diagnose(result, prepared, session, chosen, asked)


def _prepared(
    called: str, claim: Claim, session: Session, options: dict[str, Any]
) -> tuple[Prepared, Options]:
    """The claim on its model and data, as the file says that it stands in."""
    if not isinstance(claim, Claim):
        raise UserError(
            f"scrub.{called} takes a claim, not a {type(claim).__name__}. "
            "Decorate the function with @claim(data=…, metric=…)."
        )
    known = [attribute.name for attribute in fields(Options)]
    for name in options:
        if name not in known:
            raise UserError(f'scrub.{called} has no option "{name}". {did_you_mean(name, known)}')
    chosen = Options(**options)
    check_device(chosen.device)
    scope = getattr(claim.build, "__globals__", {})
    model = claim.model if claim.model is not None else scope.get("MODEL")
    file = Path(scope.get("__file__", "")).name
    (prepared,) = prepare([Collected(file, claim, model)], session, chosen)
    return prepared, chosen
