"""A page as a browser would read it, strictly: what is well formed, what it loads, what it says."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from attrs import define, field, frozen

VOID = {"meta", "img", "br", "hr", "link", "input"}
RAW = {"style", "script"}
LOADING = ("src", "href", "xlink:href", "data", "action", "srcset", "poster")
"""Attributes by which a page loads something."""


@frozen
class Element:
    """An element: its tag, attributes, and all the text in it."""

    tag: str
    attributes: dict[str, str | None]
    parts: list[str] = field(factory=list)

    @property
    def text(self) -> str:
        """Blanks in a row as one, as a page shows them."""
        return " ".join("".join(self.parts).split())

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()


@define
class Page:
    """All elements of a page, in order. `problems`: what is not well formed."""

    elements: list[Element] = field(factory=list)
    problems: list[str] = field(factory=list)

    def all(self, tag: str, kind: str = "") -> list[Element]:
        found = [element for element in self.elements if element.tag == tag]
        return [element for element in found if not kind or kind in element.classes]

    @property
    def text(self) -> str:
        """What is read, but for style and script."""
        return self.elements[0].text

    @property
    def loaded(self) -> Iterator[str]:
        """What it loads from elsewhere than itself."""
        for element in self.elements:
            for name in LOADING:
                address = element.attributes.get(name) or ""
                if address and not address.startswith(("data:image/", "#")):
                    yield address


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page([Element("", {})])
        self.open: list[Element] = [self.page.elements[0]]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(set(names)) < len(names):
            self.page.problems.append(f"<{tag}> has an attribute twice")
        element = Element(tag, dict(attrs))
        self.page.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open[-1].tag != tag:
            self.page.problems.append(f"</{tag}> ends <{self.open[-1].tag}>")
        if len(self.open) > 1:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open[-1].tag in RAW:
            self.open[-1].parts.append(data)
            return
        for element in self.open:
            element.parts.append(data)


def page_in(file: Path) -> Page:
    """A page that a command has written, which must be well formed and load nothing."""
    page = read(file.read_text(encoding="utf-8"))
    assert page.problems == []
    assert list(page.loaded) == []
    return page


def read(text: str) -> Page:
    """A page, or a fragment of one."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    page = reader.page
    page.problems += [f"<{element.tag}> does not end" for element in reader.open[1:]]
    names = [name for element in page.elements if (name := element.attributes.get("id"))]
    page.problems += [
        f"two elements are #{name}" for name in {n for n in names if names.count(n) > 1}
    ]
    targets = [element.attributes.get("href") or "" for element in page.elements]
    page.problems += [
        f"{target} leads nowhere"
        for target in targets
        if target.startswith("#") and target[1:] not in names
    ]
    return page
