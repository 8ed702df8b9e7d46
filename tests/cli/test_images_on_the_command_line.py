"""The RGB game on a tiny random LLaVA, whose files are those of llava-1.5: commands run on it."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from support.command import ROOT, inside
from support.tiny_rgb import GRID, directory
from support.web_page import page_in

PAGE = (ROOT / "docs" / "rgb.md").read_text(encoding="utf-8")
GAME = ROOT / "hypotheses" / "rgb_game.py"
KEPT = "place_by or 3_not or 2_removed"
FEW = ("--samples", "10", "--no-diagnose")


@pytest.fixture(scope="module")
def model() -> str:
    return str(directory())


def test_show_draws_both_inputs_side_by_side_without_colour_codes(model: str) -> None:
    done = inside("show", f"{GAME}::prediction_1_removed", "--row", "3", "--model", model)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    letters = {line: line.replace("│", " ").split() for line in lines}
    drawn = [line for line in lines if {len(sign) for sign in letters[line]} == {1}]
    assert max(map(len, drawn)) <= 80
    pairs = [line for line in drawn if len(letters[line]) == 2 * GRID]
    assert len(pairs) == GRID
    assert "own" in lines[lines.index(pairs[0]) - 1]
    assert "other" in lines[lines.index(pairs[0]) - 1]
    (capital,) = re.findall(r"[A-Z]", "".join(pairs))
    assert capital == "B"
    assert any(line.endswith("capitals: not the reference's") for line in lines)
    assert done.out.count("<image>") == done.out.count("Which color is the odd"), "one word each"


def test_every_claim_has_a_figure_and_the_report_and_results_are_the_same(
    model: str, tmp_path: Path
) -> None:
    arguments = ("test", GAME, "-k", KEPT, *FEW, "--model", model)
    assert not os.environ.get("DISPLAY")
    plain = inside(*arguments, "--json", tmp_path / "plain.json")
    drawn = inside(*arguments, "--json", tmp_path / "r.json", "--figures", tmp_path / "deep" / "f")
    assert drawn.err == ""
    results = json.loads((tmp_path / "r.json").read_text())["results"]
    claims = {one["claim"] for one in results}
    assert len(claims) == 3
    figures = {path.stem: path.read_bytes() for path in (tmp_path / "deep" / "f").glob("*.png")}
    assert figures.keys() == claims
    assert all(image.startswith(b"\x89PNG") for image in figures.values())
    assert len({*figures.values()}) == 3
    *_, last = drawn.out.splitlines()
    assert last == f"3 figures in {tmp_path / 'deep' / 'f'}"

    def timeless(text: str) -> str:
        return re.sub(r"(?m) +\d+\.\d$|\"(seconds|measured)\": [\d.e-]+", "", text)

    assert timeless(drawn.out.removesuffix(f"{last}\n")) == timeless(plain.out)
    files = [(tmp_path / name).read_text() for name in ("r.json", "plain.json")]
    assert timeless(files[0]) == timeless(files[1])


def test_a_figure_has_the_same_bytes_each_time(model: str, tmp_path: Path) -> None:
    for name in ("one", "other"):
        done = inside(
            *("test", f"{GAME}::prediction_4_answer", *FEW, "--model", model),
            *("-q", "--figures", tmp_path / name, "--html", tmp_path / f"{name}.html"),
        )
        assert (done.out, done.err) == ("", "")
    one, other = (tmp_path / name / "prediction_4_answer.png" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    pages = [page_in(tmp_path / f"{name}.html") for name in ("one", "other")]
    ((drawn,), (again,)) = (page.all("img") for page in pages)
    assert (drawn.attributes["src"] or "").startswith("data:image/png;base64,")
    assert drawn.attributes == again.attributes


def test_of_data_without_images_there_is_nothing_to_draw(tmp_path: Path) -> None:
    file = ROOT / "hypotheses" / "ioi_claim3.py"
    folder = tmp_path / "figures"
    done = inside("test", file, "-k", "by_value", *FEW, "--figures", folder)
    *_, last = done.out.splitlines()
    assert last == "--figures: nothing to draw: the data has no images"
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_refused_before_anything_runs(
    model: str, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    done = inside("test", GAME, *FEW, "--model", model, "--figures", tmp_path / "taken")
    assert done.code == 2
    assert f"--figures {tmp_path / 'taken'}: cannot be written. Give another folder." in done.err


def test_sweeps_and_observations_run_on_it(model: str, tmp_path: Path) -> None:
    looked = inside(
        *("look", model, f"{GAME}::output_of_each_head", "--what", "attention"),
        *("--to", "color,odd,patch", "--samples", "10"),
    )
    assert (looked.code, looked.err) == (0, "")
    assert {"color", "odd", "patch"} <= {*looked.out.split()}
    swept = inside(
        *("patch", f"{GAME}::pointing_of_each_head", "--model", model, "--at", "end"),
        *("--through", "anything", "--samples", "10", "--plot", tmp_path / "heads.png"),
    )
    assert (swept.code, swept.err) == (0, "")
    assert (tmp_path / "heads.png").read_bytes().startswith(b"\x89PNG")


def test_explain_draws_the_samples_that_lose_most(model: str) -> None:
    claim = f"{GAME}::localisation_tells_the_colour"
    done = inside("explain", claim, "--model", model, "--samples", "10", "--rows", "1")
    assert (done.code, done.err) == (0, "")
    sample = done.out.split("\nsample ")[1]
    assert "capitals: not the reference's" in sample
    assert "<image><image>" not in sample.replace(" ", "")


COMMANDS = re.findall(r"`scrub ((?:look|patch|test) [^`]*--device cuda[^`]*)`", PAGE)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_pages_commands_for_the_large_model_run(
    command: str, model: str, tmp_path: Path
) -> None:
    """As they stand there, but for the device and how many samples are drawn."""
    command = re.sub(r"--samples \d+", "--samples 5", command).replace("cuda", "cpu")
    arguments = shlex.split(command.replace("llava-1.5-7b", model))
    if arguments[0] == "test":
        arguments += ["-k", "3_not", "--no-diagnose"]
    (tmp_path / "hypotheses").symlink_to(ROOT / "hypotheses")
    done = inside(*arguments, cwd=tmp_path)
    assert done.code in (0, 1)
    assert done.err == ""
    written = {path.suffix for path in tmp_path.rglob("*.*") if path.is_file()}
    assert {".csv", ".png"} & written


def test_there_are_such_commands() -> None:
    assert [command.split()[0] for command in COMMANDS] == ["look", "patch", "test"]


def test_a_model_without_the_roles_is_not_concerned(model: str, tmp_path: Path) -> None:
    import shutil

    there = tmp_path / "no-roles"
    shutil.copytree(model, there)
    (there / "roles.toml").unlink()
    done = inside("test", GAME, *FEW, "--model", there)
    assert done.code == 5
    assert "it has no localisation or colour extractor heads" in done.out


def test_a_model_that_reads_no_images_is_refused() -> None:
    done = inside("test", GAME, *FEW, "--model", "ioi-planted")
    assert done.code == 2
    assert "rgb.game needs a model that reads images" in done.err
    assert len(done.err.splitlines()) == 1
