"""Names, types and ranges of files."""

from __future__ import annotations

import io
import re
import zipfile
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_service.core.file_types import is_allowed, type_of
from course_service.core.filenames import content_disposition, safe_filename
from course_service.core.ranges import Span, UnsatisfiableError, find_span, is_unchanged, may_continue


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("notes.pdf", "notes.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.docx", "plan.docx"),
        ("A\u030angstro\u0308m.txt", "Ångström.txt"),
        ("講義ノート.pdf", "講義ノート.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\r\nX-Evil: 1.txt", "a X-Evil_ 1.txt"),
        ('a"b<c>d|e?f*g.txt', "a_b_c_d_e_f_g.txt"),
        ("  .hidden. ", "hidden"),
        ("", "file"),
        ("...", "file"),
        ("\0\x1b", "file"),
    ],
)
def test_a_filename_is_kept_as_far_as_it_is_safe(sent: str, kept: str) -> None:
    assert safe_filename(sent) == kept
    assert safe_filename(kept) == kept


def test_a_filename_that_is_too_long_keeps_its_extension() -> None:
    name = safe_filename("ж" * 400 + ".pdf")
    assert len(name) == 255
    assert name.endswith("ж.pdf")
    assert len(safe_filename("x" * 400)) == 255
    assert len(safe_filename("x." + "y" * 400)) == 255


@pytest.mark.parametrize(
    ("name", "plain", "extended"),
    [
        ("notes.pdf", "notes.pdf", None),
        ("Café.pdf", "Cafe.pdf", "Caf%C3%A9.pdf"),
        ("講義.pdf", "pdf", "%E8%AC%9B%E7%BE%A9.pdf"),
        ("講義", "file", "%E8%AC%9B%E7%BE%A9"),
        # What becomes a quote, a backslash or a slash when it is taken apart for ASCII.
        ("a\uff02; filename=\uff02evil.exe", "a_; filename=_evil.exe", "a%EF%BC%82%3B%20filename%3D%EF%BC%82evil.exe"),
        ("x\uff3c", "file", "x%EF%BC%BC"),
        ("\uff0e\uff0e\uff0fetc", "etc", "%EF%BC%8E%EF%BC%8E%EF%BC%8Fetc"),
        ("\u2100.txt", "c.txt", "%E2%84%80.txt"),
    ],
)
def test_a_filename_is_told_in_ascii_and_whole(name: str, plain: str, extended: str | None) -> None:
    assert safe_filename(name) == name
    whole = f"; filename*=UTF-8''{extended}" if extended else ""
    assert content_disposition(name) == f'attachment; filename="{plain}"{whole}'


HEADER = re.compile(
    r"""attachment; filename="(?P<plain>[ !#-\[\]-~]+)"(?:; filename\*=UTF-8''(?P<whole>[\w.~%-]+))?""", re.ASCII
)


UNFOLDS = st.sampled_from("\uff02\uff3c\uff0f\uff0e\u2100\uff1a\u2025\ufe68 .a")
"""Characters whose plain forms a header or a file system would misread, and some beside them."""


@given(st.text(max_size=300) | st.lists(UNFOLDS | st.characters(), max_size=20).map("".join))
def test_whatever_a_file_is_called_the_header_names_one_file_and_no_folder(sent: str) -> None:
    name = safe_filename(sent)
    told = HEADER.fullmatch(content_disposition(name))
    assert told is not None
    assert unquote(told["whole"] or told["plain"]) == name
    assert safe_filename(told["plain"]) == told["plain"]


def office_document() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("_rels/.rels", "<Relationships/>")
        archive.writestr("word/document.xml", "<w:document/>")
    return packed.getvalue()


def archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("readme", "hello")
    return packed.getvalue()


WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "content_type", "allowed"),
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "application/pdf", True),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0", "image/png", True),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1", "image/jpeg", True),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video/mp4", True),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm", "video/webm", True),
        (b"ID3\4\0\0\0\0\0\0" + b"\xff\xfb\x90\x64" * 50, "audio/mpeg", True),
        (b"Just words.\n", "text/plain", True),
        ("Merhaba dünya, şöyle böyle\n".encode(), "text/plain", True),
        (b"#!/bin/sh\nrm -rf /\n", "text/plain", True),
        (b'{"a": [1, 2, 3]}', "application/json", True),
        (office_document(), WORD, True),
        (archive(), "application/zip", True),
        (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "text/html", False),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "image/svg+xml", False),
        (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + b"\0" * 44 + b"\x80\0\0\0" + b"\0" * 64 + b"PE\0\0L\1", None, False),
        (b"\x7fELF\2\1\1" + b"\0" * 60, None, False),
        (bytes(range(256)) * 4, None, False),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, content_type: str | None, allowed: bool) -> None:
    found = type_of(head)
    assert found == content_type or content_type is None
    assert is_allowed(found) is allowed


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("", None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-", Span(0, 10)),
        ("bytes=3-6", Span(3, 7)),
        ("bytes=9-100", Span(9, 10)),
        ("bytes=-4", Span(6, 10)),
        ("bytes=-100", Span(0, 10)),
        ("bytes=0-1,4-5", None),
        ("bytes=5-3", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("pages=1-2", None),
        ("bytes=" + "9" * 40 + "-", None),
    ],
)
def test_a_range_is_one_span_of_bytes_or_the_whole(header: str | None, span: Span | None) -> None:
    assert find_span(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_beyond_the_end_is_unsatisfiable(header: str) -> None:
    with pytest.raises(UnsatisfiableError):
        find_span(header, 10)


def test_conditions_compare_tags() -> None:
    assert is_unchanged('"a"', '"a"')
    assert is_unchanged('"b", W/"a"', '"a"')
    assert is_unchanged("*", '"a"')
    assert not is_unchanged('"b"', '"a"')
    assert not is_unchanged(None, '"a"')
    assert may_continue(None, '"a"')
    assert may_continue('"a"', '"a"')
    assert not may_continue('W/"a"', '"a"')
    assert not may_continue("Tue, 24 Nov 2026 00:00:00 GMT", '"a"')
