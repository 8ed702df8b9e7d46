"""Claims without a run, as values: what one would run, what it swaps, and that it is legal.

Each is what the command of its name prints: as text by `print`, as HTML in a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from scrub.draw import Draws
from scrub.hypothesis.describe import describe_route
from scrub.hypothesis.tree import Tree
from scrub.printing import REPORT_WIDTH, Printed, html_of, in_brief
from scrub.report.console import written
from scrub.report.inputs import inputs_of, marked_text
from scrub.report.plan import cost_line, plan_table, show_plan
from scrub.report.row import show_row
from scrub.runner.options import Options
from scrub.runner.prepare import Prepared
from scrub.samplers import describe_sampler

if TYPE_CHECKING:
    import pandas as pd


@frozen(eq=False, repr=False)
class ClaimPlan:
    """What a claim would run, and what that costs. Nothing was run.

    Attributes:
        claim: bound to its model and data, and checked.
        options: of the run.
    """

    claim: Prepared
    options: Options

    @property
    def tree(self) -> Tree:
        return self.claim.tree

    @property
    def cost(self) -> str:
        """Operations and memory, in a sentence."""
        return cost_line(self.claim, self.options)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a step, in order: step, value, heads, positions, in, depends on."""
        import pandas as pd

        steps = plan_table(self.claim)
        columns = {str(c.header): [str(cell) for cell in c.cells] for c in steps.columns}
        return pd.DataFrame(columns).astype({"step": int})

    def report(self, width: int = REPORT_WIDTH, *, verbose: bool = False) -> Printed:
        """What `scrub plan` prints, as text. `verbose`: also every step."""
        claim, options = self.claim, self.options
        return Printed(written(lambda out: show_plan(claim, options, out, verbose=verbose), width))

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        about = f"{len(self.tree.walk())} nodes on {self.claim.model.name}"
        return in_brief("ClaimPlan", self.claim.claim.name, about)

    def _repr_html_(self) -> str:
        return html_of(self)


@frozen(eq=False, repr=False)
class ClaimSwaps:
    """What a claim swaps for one row of its data: the inputs of each node.

    Attributes:
        claim: bound to its model and data, and checked.
        row: the reference's row.
        draws: of one sample, whose reference it is.
    """

    claim: Prepared
    row: int
    draws: Draws

    @property
    def frame(self) -> pd.DataFrame:
        """One row an input of a node: node, sites, input (own or other), sampler, row, text,
        changed (whether its text is not the reference's).
        """
        import pandas as pd

        reference = self.draws.references
        rows = []
        for node in self.claim.tree.walk():
            samplers = {"own": node.node.sampler, "other": node.node.other}
            for which, drawn, _ in inputs_of(node, self.draws, 0):
                pieces = marked_text(drawn, reference, ())
                rows.append(
                    {
                        "node": " / ".join(node.path),
                        "sites": " | ".join(map(describe_route, node.routes)),
                        "input": which,
                        "sampler": describe_sampler(samplers[which]),
                        "row": int(drawn.index[0]),
                        "text": "".join(piece.text for piece in pieces).strip(),
                        "changed": any(piece.changed for piece in pieces),
                    }
                )
        return pd.DataFrame(rows)

    def report(self, width: int = REPORT_WIDTH) -> Printed:
        """What `scrub show` prints, as text."""
        return Printed(written(lambda out: show_row(self.claim, self.draws, out), width))

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        return in_brief("ClaimSwaps", self.claim.claim.name, f"row {self.row}")

    def _repr_html_(self) -> str:
        return html_of(self)


@frozen(eq=False, repr=False)
class Checked:
    """Claims that are legal, and samplers that keep their laws: what `scrub check` says.

    Attributes:
        claims: bound to their models and data, and checked.
        lines: what there is to say of them and of their samplers.
    """

    claims: tuple[Prepared, ...]
    lines: tuple[str, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """One row a claim: claim, file, nodes, model, data."""
        import pandas as pd

        return pd.DataFrame(
            {
                "claim": one.claim.name,
                "file": one.file,
                "nodes": len(one.tree.walk()),
                "model": one.model.name,
                "data": one.data.name,
            }
            for one in self.claims
        )

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def __repr__(self) -> str:
        return in_brief("Checked", *(f"{one.claim.name}: legal" for one in self.claims))

    def _repr_html_(self) -> str:
        return html_of(self)
