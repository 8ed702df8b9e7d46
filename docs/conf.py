"""Sphinx's configuration: `sphinx-build -W -b html docs docs/_build/html`, without a network."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "scrub"
author = "The scrub developers"
release = metadata.version("scrub")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_reference",
    "model_cards",
    "repository_links",
]
exclude_patterns = ["_build", "_extensions"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "scrub"
highlight_language = "text"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Law", "notes_style"), ("Laws", "notes_style")]

default_role = "code"  # docstrings mark code by single backticks, as Markdown does
smartquotes = False
