"""Train `parens`: a small bidirectional transformer that says whether parentheses balance.

    python benchmarks/train_parens.py [--out DIR] [--steps N] [--seed K]

The architecture is that of the paren balancer of the causal-scrubbing post. It is trained on the
label and on nothing else: no head is told what to do. Deterministic on one machine's CPU.
"""

from __future__ import annotations

from parens_training import STEPS, new_model, optimise, save
from training import deterministic, parser_of


def main() -> None:
    """Train and save."""
    given = parser_of("parens", STEPS, "Train the embedded model parens.").parse_args()
    deterministic()
    state = new_model(given.seed)
    optimise(state, given.steps, given.seed)
    save(state, given.out)


if __name__ == "__main__":
    main()
