"""Results as HTML: fragments that a notebook shows, of which the report (`--html`) is made."""

from scrub.report.html.frames import frame_html as frame_html
from scrub.report.html.results import result_html as result_html
from scrub.report.html.trees import tree_html as tree_html
