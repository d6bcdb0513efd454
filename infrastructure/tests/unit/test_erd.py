"""What the diagram and the pages of tables say of a type."""

from __future__ import annotations

import pytest

from smartcourse_dev import erd


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("varchar(60)[]", "varchar_array"),
        ("numeric(5, 2)", "numeric"),
        ("timestamp with time zone", "timestamp_with_time_zone"),
        ("integer[]", "integer_array"),
    ],
)
def test_a_type_becomes_one_word_and_an_array_stays_one(kind: str, word: str) -> None:
    assert erd.word(kind) == word
