"""From what a person types to a query of PostgreSQL's full-text search."""

from __future__ import annotations

import re

from sqlalchemy import ColumnElement, func
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.sql.functions import Function

WORD = re.compile(r"\w+")


def prefix_expression(text: str) -> str:
    """Return `text` as a query for courses that have a word beginning with each of its words: `'jav':* & 'beg':*`.

    Whatever is not part of a word is left out, so nothing in `text` can be an operator.
    """
    return " & ".join(f"'{word}':*" for word in WORD.findall(text))


def matching(text: str) -> ColumnElement[object]:
    """Return the tsquery for `text`: its words as they are, or stemmed as English, or as beginnings of words.

    The first of the three parses `text` just as the column `search` parses a title, so a title typed in full finds
    its course however PostgreSQL takes its hyphens, dots and digits apart.
    """
    whole: Function[object] = func.plainto_tsquery("simple", text, type_=TSQUERY)
    stemmed = func.plainto_tsquery("english", text, type_=TSQUERY)
    beginnings = func.to_tsquery("simple", prefix_expression(text), type_=TSQUERY)
    return whole.op("||")(stemmed).op("||")(beginnings)
