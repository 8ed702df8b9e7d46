"""docs/gallery.md has every claim of hypotheses/, what it says, and the verdict that it expects."""

from __future__ import annotations

import re

from write_gallery import PAGE, expected, hypotheses, section, sections

from support.paths import ROOT

ROW = re.compile(r"^\| `(\w+)` \| (.*) \| (.*) \| (.*) \| (.*) \|$", flags=re.MULTILINE)


def test_it_is_of_every_file_and_claim() -> None:
    shown = sections(PAGE.read_text(encoding="utf-8"))
    there = {file.name: claims for file, claims in hypotheses()}
    assert list(shown) == list(there)
    for name, claims in there.items():
        rows = [found.groups() for found in ROW.finditer(shown[name])]
        assert [row[0] for row in rows] == [item.claim.name for item in claims]
        assert [row[1].replace("\\|", "|") for row in rows] == [i.claim.belief for i in claims]
        for item, (_, _, _, verdict, expects) in zip(claims, rows, strict=True):
            if not verdict.startswith("not applicable"):
                assert expects == expected(item.claim)
                as_expected = verdict == expects or expects == "–"
                assert verdict.startswith("**") != as_expected


def test_a_file_is_shown_as_it_is_run() -> None:
    """Of a file that takes a second: what the page shows is what its claims give."""
    import scrub

    file = ROOT / "hypotheses" / "ioi_claim3_more.py"
    (claims,) = (claims for path, claims in hypotheses() if path == file)
    results = scrub.run([item.claim for item in claims])
    assert section(file, claims, results) == sections(PAGE.read_text(encoding="utf-8"))[file.name]
