"""`scrub explain`: what it prints, writes and draws, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.bad_input import refused
from support.command import IOI, SUMS, assert_golden, inside
from support.paths import ROOT


def test_a_table_and_the_rows_that_lose_most() -> None:
    done = inside("explain", f"{SUMS}::by_hand", "--samples", "200", "--rows", "1")
    assert (done.code, done.err) == (0, "")
    assert_golden("explain", done.out)


def test_a_claim_that_swaps_nothing(tmp_path: Path) -> None:
    file = tmp_path / "exact.py"
    text = (ROOT / SUMS).read_text(encoding="utf-8")
    file.write_text(
        text + "\n\n@claim(data=DATA, metric=ERROR)\ndef exact(model):\n"
        "    return product_is(Exact())\n"
    )
    done = inside("explain", f"{file}::exact", "--samples", "50")
    assert (done.code, done.err) == (0, "")
    assert "It swaps nothing: every sampler is Exact." in done.out


def test_results_file_and_picture_of_a_transformers_claim(tmp_path: Path) -> None:
    file, plot = tmp_path / "r.json", tmp_path / "w.svg"
    arguments = (f"{IOI}::by_value", "--samples", "60", "--json", file, "--plot", plot)
    done = inside("explain", *arguments)
    assert (done.code, done.err) == (0, "")
    (result,) = json.loads(file.read_text(encoding="utf-8"))["results"]
    (swap,) = result["blame"]["swaps"]
    assert swap["node"] == ["logits", "name movers", "S-inhibition"]
    assert (swap["swap"], swap["sampler"]) == ("own", "Agree(io)")
    assert swap["alone"] == swap["last"] == swap["in_order"] == result["blame"]["lost"]
    assert swap["alone"]["mean"] == pytest.approx(1 - result["recovered"]["mean"])
    assert [path["path"] for path in swap["paths"]] == [
        f"head 2.{head} at end, into q" for head in (0, 1)
    ]
    assert all(path["alone"]["mean"] < swap["alone"]["mean"] for path in swap["paths"])
    assert len(result["blame"]["worst"]) == 3
    for sample in result["blame"]["worst"]:
        assert sample["scrubbed"] < sample["original"]
        assert sample["text"]
    words = "".join(ElementTree.parse(plot).getroot().itertext())
    for part in ("the model", "S-inhibition: Agree(io)", "the claim", "recovered"):
        assert part in words


def test_the_same_picture_for_the_same_numbers_in_each_format(tmp_path: Path) -> None:
    for kind, start in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        plots = [tmp_path / f"{number}.{kind}" for number in range(2)]
        for plot in plots:
            assert inside("explain", f"{SUMS}::by_hand", "--samples", "9", "--plot", plot).code == 0
        assert plots[0].read_bytes() == plots[1].read_bytes()
        assert plots[0].read_bytes().startswith(start)


def test_bad_input(tmp_path: Path) -> None:
    text = (ROOT / SUMS).read_text(encoding="utf-8")
    (tmp_path / "sums.py").write_text(text, encoding="utf-8")
    explain = ("explain", "sums.py::by_hand")
    assert refused(tmp_path, *explain, "--plot", "w.jpg") == (
        "error: --plot w.jpg: give a file that ends in .svg, .png, .pdf.\n"
    )
    assert refused(tmp_path, *explain, "--plot", "nowhere/w.svg") == (
        "error: --plot nowhere/w.svg: there is no folder nowhere. Create it first.\n"
    )
    assert refused(tmp_path, "explain", "sums.py", "--plot", "w.svg") == (
        "error: --plot draws one claim, and there are 5. Name one, as in sums.py::conjunction; "
        "there are: conjunction, anything_goes, only_x, undefined, by_hand.\n"
    )
    assert refused(tmp_path, "explain", "sums.py::by_hnad") == (
        'error: sums.py: There is no claim "by_hnad". The nearest is "by_hand"; there are: '
        "conjunction, anything_goes, only_x, undefined, by_hand.\n"
    )
