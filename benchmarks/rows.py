"""What a claim whose nodes draw from many rows takes: processor time, and bytes that are kept.

    python benchmarks/rows.py [--claim NAME] [--model NAME|DIR] [--samples N]

`exp_4` of the paren balancer reads 57 inputs a sample, drawn from 100,000 strings. Of 42 of them
one stream is read, and only that is kept of their rows.
"""

from __future__ import annotations

import argparse
import time

import scrub
from scrub.hypothesis.collect import collect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--claim", default="exp_4")
    parser.add_argument("--model", default="parens")
    parser.add_argument("--samples", type=int, default=1_000)
    asked = parser.parse_args()
    (found,) = collect((f"hypotheses/parens.py::{asked.claim}",))
    session = scrub.Session()
    options = {"session": session, "model": asked.model, "max_memory": 32 * 10**9}
    scrub.run(found.claim, samples=1, **options)  # the model and its data are made
    session.evict()
    start = time.process_time()
    result = scrub.run(found.claim, samples=asked.samples, **options)
    print(
        f"{asked.claim}, {asked.samples:,} references: {time.process_time() - start:.1f} CPU s, "
        f"{session.held():,} bytes kept; recovered {result.recovered.mean:.6f}"
    )


if __name__ == "__main__":
    main()
