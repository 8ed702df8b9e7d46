"""The modules of `datasets/` for type checkers, which cannot follow `__init__.py` in a checkout.

A wheel leaves this file out: there they lie beside it.
"""

from ...datasets import comparisons as comparisons
from ...datasets import comparisons_rows as comparisons_rows
from ...datasets import contractions as contractions
from ...datasets import contractions_rows as contractions_rows
from ...datasets import contractions_text as contractions_text
from ...datasets import greater_than as greater_than
from ...datasets import greater_than_rows as greater_than_rows
from ...datasets import greater_than_years as greater_than_years
from ...datasets import ioi as ioi
from ...datasets import ioi_draws as ioi_draws
from ...datasets import ioi_rows as ioi_rows
from ...datasets import ioi_text as ioi_text
from ...datasets import ioi_tokens as ioi_tokens
from ...datasets import marks as marks
from ...datasets import parens as parens
from ...datasets import parens_features as parens_features
from ...datasets import parens_head as parens_head
from ...datasets import parens_strings as parens_strings
from ...datasets import repeats as repeats
from ...datasets import rgb as rgb
from ...datasets import rgb_prompt as rgb_prompt
from ...datasets import rgb_table as rgb_table
from ...datasets import sequences as sequences
from ...datasets import sequences_draws as sequences_draws
from ...datasets import sequences_rows as sequences_rows
