"""`scrub look`: what a model's heads attend to, copy and write, and what its logits are made of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scrub.cli.exit_codes import AS_EXPECTED
from scrub.cli.options import DEVICE, DTYPE, MEMORY, SEED, options_of
from scrub.errors import UserError, did_you_mean
from scrub.runner.outputs import Outputs, check_outputs

if TYPE_CHECKING:
    from scrub.observations.observation import Observation
    from scrub.observations.tokens import Text
    from scrub.runner.options import Options

PATH = click.Path(path_type=Path)
TAKES = {
    "attention": ("of", "at", "to"),
    "copying": ("of", "at"),
    "next": ("of",),
    "tokens": ("of", "text"),
    "lens": ("at", "direction"),
    "attribution": ("at", "direction", "by"),
    "ov": ("of",),
    "components": ("of", "at", "by"),
    "congruence": ("of", "direction"),
}
"""What can be looked at, and which options it takes."""
OF_ALL = ("text",)
"""Options without --what."""
OF_BEHAVIOURS = ("attention", "lens", "attribution", "components")


@click.command("look")
@click.argument("model", metavar="MODEL")
@click.argument("target", metavar="[FILE::BEHAVIOUR]", required=False)
@click.option("--what", metavar="|".join(TAKES), help="Look closer at this.")
@click.option(
    "--of",
    metavar="HEADS",
    help='Heads: a role, "9.9,9.6"; of components also mlp:2; of congruence neurons:8.',
)
@click.option("--at", metavar="COLUMN", help="Where: a position column, an index, or several.")
@click.option("--to", metavar="COLUMN", help="Attention to these columns.  [default: all]")
@click.option(
    "--direction",
    metavar="LABELS",
    help="Logits of io,s (of congruence: words).  [default: the metric's]",
)
@click.option(
    "--by",
    metavar="NAME",
    help="Attribution by parts, layers or neurons:8; components coloured by a feature.",
)
@click.option("--text", type=PATH, metavar="FILE", help="Scores by tokens on this text.")
@click.option("--csv", type=PATH, metavar="FILE", help="Write all rows here.")
@click.option("--plot", type=PATH, metavar="FILE", help="Draw it here (.svg, .png, .pdf).")
@click.option(
    "--top", type=click.IntRange(min=1), default=20, show_default=True, help="Rows to show."
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Rows of the data to look at, at most.",
)
@SEED
@DEVICE
@DTYPE
@MEMORY
def look_command(
    model: str,
    target: str | None,
    what: str | None,
    csv: Path | None,
    plot: Path | None,
    top: int,
    samples: int,
    seed: int,
    device: str,
    dtype: str,
    max_memory: int,
    **asked: Any,
) -> int:
    """Look at a model: what its heads attend to, copy and write, what its logits are made of."""
    _check(model, target, what, asked)
    outputs = check_outputs(csv=csv, plot=plot)
    options = options_of(
        max_memory=max_memory, model=model, samples=samples, seed=seed, device=device, dtype=dtype
    )
    observation = _look(target, what, asked, options, outputs)
    from scrub.report.console import terminal
    from scrub.report.observation import show_observation

    show_observation(observation, terminal(), top)
    _write(observation, outputs)
    return AS_EXPECTED


def _check(model: str, target: str | None, what: str | None, asked: dict[str, Any]) -> None:
    """Refuse what makes no sense together, before anything is loaded."""
    problems = []
    file, variable, _ = model.partition("::")
    if file.endswith(".py") and not (variable and (target or _is_edited(model))):
        problems.append(
            f"{model} is a file, and the model comes first: scrub look ioi-planted {model}."
        )
    if what is not None and what not in TAKES:
        raise UserError(f"--what {what}: {did_you_mean(what, TAKES)}", *problems)
    taken = OF_ALL if what is None else TAKES[what]
    for name in (name for name, value in asked.items() if value is not None):
        if name not in taken:
            goes = [kind for kind, options in TAKES.items() if name in options]
            problems.append(f"--{name} goes with --what {' or '.join(goes)}.")
    if what in OF_BEHAVIOURS and target is None:
        problems.append(
            f"--what {what} looks at a behaviour. Name one: scrub look {model} FILE::BEHAVIOUR "
            f"--what {what}."
        )
    if problems:
        raise UserError(*problems)


def _is_edited(name: str) -> bool:
    """Whether a file holds an edited model in this variable, and not a behaviour, say."""
    from scrub.model.edited_model import variable
    from scrub.model.edits import Edited

    return isinstance(variable(name), Edited)


def _look(
    target: str | None,
    what: str | None,
    asked: dict[str, Any],
    options: Options,
    outputs: Outputs,
) -> Observation:
    """What was asked for."""
    from scrub.hypothesis.collect import collect_behaviour
    from scrub.observations.asked import Asked, look
    from scrub.observations.subject import opened, subject
    from scrub.report.progress_bar import ProgressBar
    from scrub.runner.session import Session

    text = _text(asked.pop("text"), outputs)
    session = Session()
    chosen = {name: _several(value) if name in ("at", "to") else value
              for name, value in asked.items()}  # fmt: skip
    item = None if target is None else collect_behaviour(target, outputs.start)
    with ProgressBar(0, quiet=False, counted="rows") as progress:
        progress.says("loading the model")
        found = None if item is None else subject(item, session, options, progress)
        model = opened(options.model, session, options) if found is None else found.model
        progress.says(model.name)
        return look(Asked(model, found, options, text=text, progress=progress, **chosen), what)


def _several(given: str | None) -> Any:
    """Names and indices, separated by commas."""
    if given is None:
        return None
    pieces = [piece.strip() for piece in given.split(",")]
    return tuple(int(piece) if piece.isdigit() else piece for piece in pieces)


def _text(file: Path | None, outputs: Outputs) -> Text | None:
    """The text of a file."""
    if file is None:
        return None
    from scrub.observations.tokens import Text

    try:
        text = (outputs.start / file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UserError(f"--text {file}: cannot be read: {reason}.") from error
    return Text(text, str(file), "--text")


def _write(observation: Observation, outputs: Outputs) -> None:
    if outputs.csv:
        with outputs.writing("--csv", outputs.csv) as file:
            observation.frame.to_csv(file, index=False)
    if outputs.plot:
        from scrub.sweeps.heatmap import save_figure

        with outputs.writing("--plot", outputs.plot) as file:
            save_figure(observation.plot(), file)
