"""The documentation is a site that Sphinx builds without a warning; it has every public name."""

from __future__ import annotations

import re
import shutil
from html import unescape
from importlib.util import find_spec
from pathlib import Path

import pytest

import scrub
from scrub.cli.main import group
from support.command import fork
from support.paths import ROOT

API = (ROOT / "docs/reference/api.md").read_text(encoding="utf-8")
SPHINX = pytest.mark.skipif(find_spec("sphinx") is None, reason="the docs extra is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built of a copy: model cards are written beside the sources."""
    copy = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", copy / "docs", ignore=shutil.ignore_patterns("_build", "cards"))
    cards = copy / "scrub" / "model"
    cards.mkdir(parents=True)
    (cards / "embedded").symlink_to(ROOT / "scrub/model/embedded")
    command = ["-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", "out"]
    done = fork(*command, cwd=copy, PYTHONPATH=str(ROOT))
    assert done.err == ""
    assert done.code == 0
    return copy / "out"


@SPHINX
def test_every_page_is_there(site: Path) -> None:
    for page in (ROOT / "docs").rglob("*.md"):
        below = page.relative_to(ROOT / "docs")
        assert (site / below).with_suffix(".html").exists() or below.parts[0] == "_build"
    assert (site / "cards" / "ioi-planted.html").exists()


@SPHINX
def test_commands_are_those_of_the_command_line(site: Path) -> None:
    text = unescape((site / "reference/commands.html").read_text(encoding="utf-8"))
    for name, command in group.commands.items():
        assert f"scrub {name}" in text
        for option in command.params:
            assert all(opt in text for opt in option.opts if opt.startswith("--"))


@SPHINX
def test_it_loads_nothing_from_a_network(site: Path) -> None:
    loaded = re.compile(r"<(?:script|img|link)[^>]*(?:src|href)=\"(https?:[^\"]+)\"")
    found = {
        (page.name, address)
        for page in site.rglob("*.html")
        for address in loaded.findall(page.read_text(encoding="utf-8"))
    }
    assert found == set()


@SPHINX
def test_links_within_the_site_lead_somewhere(site: Path) -> None:
    """And nothing is taken for an address of mail, as "end@s2" is."""
    texts = {page: page.read_text(encoding="utf-8") for page in site.rglob("*.html")}
    links = [
        (page, a) for page, text in texts.items() for a in re.findall(r'<a [^>]*href="(.*?)"', text)
    ]
    broken = [
        (page.name, address)
        for page, address in links
        if not unescape(address).startswith(("https://", "http://"))
        and not _leads(page, unescape(address), texts)
    ]
    assert broken == []
    assert not _leads(site / "index.html", "#nowhere", texts)
    assert not _leads(site / "index.html", "nowhere.html", texts)


def _leads(page: Path, address: str, texts: dict[Path, str]) -> bool:
    """Whether a page has the file that an address names, and that the place."""
    name, _, place = address.partition("#")
    there = (page.parent / name).resolve() if name else page
    found = texts.get(there)
    return there.exists() and (not place or found is None or f'id="{place}"' in found)


def test_every_public_name_is_documented() -> None:
    """Held to what scrub exports; `observe` is a module, and has a section."""
    documented = re.findall(r"^\.\. auto(?:class|function|data):: scrub\.(\w+)$", API, re.MULTILINE)
    assert sorted(documented) == sorted(set(scrub.__all__) - {"observe"})
    assert "automodule:: scrub.observe" in API
