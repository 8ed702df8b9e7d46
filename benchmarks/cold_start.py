"""How long `scrub test` takes in a process of its own, beside what it cannot do without.

    python benchmarks/cold_start.py [FILE] [--repeats N] [--out FOLDER]

Prints the tables, and with --out writes them to cold_start.md there (docs). FILE is
hypotheses/ioi_claim3.py by default. CPU seconds (user and system) of one thread count: on a machine
that does other work too they change less than wall time. The commands are run in turn, so that all
see the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
CLAIMS = ROOT / "hypotheses" / "ioi_claim3.py"
IMPORT_TORCH = "import torch"
SCRUB, RECHECK = "scrub test", "scrub test --recheck"
SCRUBS = "scrubs and diagnoses"
LIBRARIES = {
    "torch": "torch",
    "scipy.stats": "scipy.stats._stats_py",
    "pandas": "pandas",
    "jaxtyping": "jaxtyping",
    "transformers": "transformers",
    "transformer_lens": "transformer_lens",
}
"""With the module by which an import is known: scipy.stats itself is imported on demand."""
GOAL = 2.5
WORDS = """\
**`import torch`** is the command `python -c "import torch"`. **`--recheck`** boots the
TransformerBridge to compare the weights with it; before scrub read weights by their names every
run did. **Scrubs and diagnoses** are what is left once everything is imported, the claims are
checked and the weights are there, as the second table has them. Where wall time is far above CPU
time, the machine did other work.
"""


@frozen
class Cost:
    """What a command took, in seconds."""

    cpu: float
    wall: float


def command(name: str, file: Path) -> list[str]:
    """A command that is measured."""
    if name == IMPORT_TORCH:
        return [sys.executable, "-c", name]
    return [sys.executable, "-m", *name.split(), "-q", str(file)]


def run(arguments: Sequence[str]) -> tuple[Cost, str]:
    """What a command costs with one thread, and what it prints. A claim may come out otherwise."""
    before, started = os.times(), time.perf_counter()
    alone = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, capture_output=True, text=True, env=alone)
    wall, after = time.perf_counter() - started, os.times()
    assert done.returncode in (0, 1), done.stderr
    user = after.children_user - before.children_user
    system = after.children_system - before.children_system
    return Cost(user + system, wall), done.stdout + done.stderr


def parts(file: Path) -> dict[str, float]:
    """CPU seconds of each part of `scrub test FILE`, run in this process."""
    found: dict[str, float] = {}

    def took(name: str) -> None:
        found[name] = time.process_time() - sum(found.values())

    took("interpreter")
    __import__("torch")
    took("import torch")
    from scrub.cli.test import test_command  # noqa: F401
    from scrub.hypothesis.collect import collect
    from scrub.report.progress_bar import ProgressBar  # noqa: F401
    from scrub.report.terminal import show, terminal
    from scrub.runner.context import Context
    from scrub.runner.diagnoses import diagnoses
    from scrub.runner.options import Options
    from scrub.runner.outputs import check_outputs
    from scrub.runner.prepare import load_models, prepare
    from scrub.runner.session import Session
    from scrub.runner.suite import run_claims

    took("import scrub, and what it imports")
    session, options = Session(), Options()
    prepared = prepare(collect([str(file)]), session, options)
    took("the file, its data, the checks")
    load_models(prepared, session, options)
    took("the weights")
    outcome = run_claims(prepared, Context(session, options), check_outputs(), diagnoses(None))
    took(SCRUBS)
    show(outcome.results, terminal())
    took("the report")
    return found


def imports(file: Path) -> dict[str, float]:
    """Wall seconds that the first import of each large library takes, with all that it imports."""
    _, text = run([sys.executable, "-X", "importtime", *command(SCRUB, file)[1:]])
    lines = re.findall(r"^import time: +\d+ \| +(\d+) \| +(\S+)$", text, re.MULTILINE)
    first = {name: int(micro) / 1e6 for micro, name in reversed(lines)}
    return {name: first[module] for name, module in LIBRARIES.items() if module in first}


def measured(file: Path, repeats: int) -> tuple[dict[str, Cost], dict[str, float]]:
    """Medians: of each command, and of each part."""
    names = (IMPORT_TORCH, SCRUB, RECHECK)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    inside: list[dict[str, float]] = []
    for _ in range(repeats):
        for name in names:
            costs[name].append(run(command(name, file))[0])
        _, text = run([sys.executable, __file__, str(file), "--parts"])
        inside.append(json.loads(text.splitlines()[-1]))
    middle = statistics.median
    return (
        {n: Cost(middle(c.cpu for c in of), middle(c.wall for c in of)) for n, of in costs.items()},
        {name: middle(one[name] for one in inside) for name in inside[0]},
    )


def page(
    costs: Mapping[str, Cost],
    inside: Mapping[str, float],
    libraries: Mapping[str, float],
    repeats: int,
    file: Path,
) -> str:
    """The tables, and what they mean."""
    least = costs[IMPORT_TORCH].cpu + inside[SCRUBS]
    lines = ["| command | CPU s | wall s | to the least |", "| --- | --- | --- | --- |"]
    for name, cost in costs.items():
        lines.append(f"| `{name}` | {cost.cpu:.2f} | {cost.wall:.2f} | {cost.cpu / least:.2f} |")
    lines.append(f"| the least: `import torch` and the scrubs | {least:.2f} | | 1 |")
    lines += ["", "| part of `scrub test` | CPU s |", "| --- | --- |"]
    lines += [f"| {name} | {seconds:.3f} |" for name, seconds in inside.items()]
    lines += ["", "| library, with what it imports | wall s |", "| --- | --- |"]
    lines += [f"| {name} | {seconds:.2f} |" for name, seconds in libraries.items()]
    heading = (
        f"`scrub test {file.name}` in a new process takes {costs[SCRUB].cpu / least:.2f} times "
        f"`import torch` and the scrubs (goal: {GOAL}); with a TransformerBridge "
        f"{costs[RECHECK].cpu / least:.2f} times. Medians of {repeats} runs, one thread each."
    )
    return "\n".join([heading, "", *lines, "", WORDS])


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", type=Path, default=CLAIMS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--parts", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    file = chosen.file.resolve()
    if chosen.parts:
        print(json.dumps(parts(file)))
        return
    text = page(*measured(file, chosen.repeats), imports(file), chosen.repeats, file)
    print(text)
    if chosen.out:
        target = chosen.out / "cold_start.md"
        known = target.read_text(encoding="utf-8").partition(MARK)[0]
        target.write_text(f"{known}{MARK}\n\n{text}", encoding="utf-8")


MARK = "## What it takes\n\n`python benchmarks/cold_start.py --out docs` writes what follows."
"""Where the page is written anew."""


if __name__ == "__main__":
    main()
