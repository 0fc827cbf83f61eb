"""What a row of writing measures: what data are brought to, and what generators keep to.

In pixels of a row 32 high; twice that of one of 64.
"""

from __future__ import annotations

LINE_HEIGHT = 32
COLUMN = 4  # an eighth of the height: widths are whole columns
NARROWEST, WIDEST, ENDS = 4, 28, 12  # a character's, and what the ends of a word may add
