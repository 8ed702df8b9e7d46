"""Notebooks run from top to bottom, and print what is stored in them.

To store outputs anew: `SCRUB_UPDATE_GOLDEN=1 pytest tests/docs/test_notebooks.py`; read the diff.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode, v4

from support.command import ENVIRONMENT
from support.paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = ("text/plain", "text/html")


def executed(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook as a kernel that is started in this folder leaves it.

    Raises:
        CellExecutionError: a cell fails.
    """
    found = nbformat.from_dict(notebook)
    client = NotebookClient(
        found,
        timeout=120,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute(env=ENVIRONMENT | {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"})
    return found


def texts(notebook: NotebookNode) -> list[tuple[str, ...]]:
    """What each cell prints and shows, but for pictures, which fonts make different."""
    return [
        tuple(text for output in cell.get("outputs", ()) for text in _texts(output))
        for cell in notebook.cells
    ]


def _texts(output: NotebookNode) -> list[str]:
    if output.output_type == "stream":
        return [f"{output.name}: {output.text}"]
    if output.output_type == "error":
        return [f"error: {line}" for line in output.traceback]
    if any(kind.startswith("image/") for kind in output.data):
        return []
    return [f"{kind}: {steady(output.data[kind])}" for kind in TEXTS if kind in output.data]


def steady(text: str) -> str:
    """A text without how long a run took and how much memory it grew by."""
    text = re.sub(r"<td>seconds</td>\s*<td>[\d.]+</td>", "<td>seconds</td>", text)
    return re.sub(r"memory beyond the model: [^<\n]*", "memory", text)


def store(notebook: NotebookNode, file: Path) -> None:
    """Write it without what differs from one machine to the next."""
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, file)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_prints_what_is_stored(file: Path) -> None:
    """Started in a folder below the repository's root, which need not be the notebook's own."""
    stored = nbformat.read(file, as_version=4)
    new = executed(stored, Path(__file__).parent)
    if os.environ.get("SCRUB_UPDATE_GOLDEN"):
        store(new, file)
        stored = new
    assert texts(new) == texts(stored)
    assert [text for cell in texts(new) for text in cell if text.startswith("stderr: ")] == []


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


# Mutants


def test_a_cell_that_fails_is_caught(tmp_path: Path) -> None:
    notebook = v4.new_notebook(cells=[v4.new_code_cell("print(1)"), v4.new_code_cell("1 / 0")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(notebook, tmp_path)


def test_another_text_is_told_and_another_picture_is_not() -> None:
    def shown(text: str, picture: str, printed: str) -> list[tuple[str, ...]]:
        drawn = {"text/plain": "<Figure>", "image/png": picture}
        outputs = [
            v4.new_output("stream", text=printed),
            v4.new_output("execute_result", data={"text/plain": text}),
            v4.new_output("display_data", data=drawn),
        ]
        return texts(v4.new_notebook(cells=[v4.new_code_cell("1", outputs=outputs)]))

    right = shown("1.000", "aaaa", "supported")
    assert right == [("stdout: supported", "text/plain: 1.000")]
    assert shown("1.000", "bbbb", "supported") == right
    assert shown("1.001", "aaaa", "supported") != right
    assert shown("1.000", "aaaa", "refuted") != right
