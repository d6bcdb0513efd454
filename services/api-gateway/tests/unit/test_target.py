"""The canonical form of request targets."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.target import is_canonical


@pytest.mark.parametrize("target", ["/", "/a", "/a/", "/a.b/..c", "/a?b=%2e%2e&c=//", "/%C3%A9", "/.well-known"])
def test_plain_targets_are_canonical(target: str) -> None:
    assert is_canonical(target)


@pytest.mark.parametrize(
    "target",
    [
        "", "a", "//", "/a//b", "/.", "/..", "/a/..", "/a/../b", "/a/./b", "/%61", "/%2e", "/%2F", "/%5c", "/%00",
        "/%25",
        "/a;b", "/a%3Bb".lower() + "%0a", "/a\\b", "/a#b", "/a b", "/\xe9", "/a?b#c", "/a?%00", "/a?%", "/%", "/%7e",
        "/a\n", "/a?b\n",
    ],
)  # fmt: skip
def test_ambiguous_targets_are_not(target: str) -> None:
    assert not is_canonical(target)


@given(st.text(alphabet="/.%25efF61;\\?ab", min_size=1, max_size=12))
def test_decoding_a_canonical_path_changes_neither_its_segments_nor_their_meaning(text: str) -> None:
    path = "/" + text
    if is_canonical(path):
        raw, decoded = path.partition("?")[0], unquote(path.partition("?")[0], errors="surrogateescape")
        assert decoded.count("/") == raw.count("/")
        assert not {".", ".."} & set(decoded.split("/"))
