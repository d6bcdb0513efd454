"""What a file is, by its first bytes: what its sender calls it counts for nothing."""

from __future__ import annotations

import magic

HEAD_BYTES = 8192
"""How much of a file libmagic is shown."""

ALLOWED = frozenset(
    {
        "application/pdf",
        "application/json",
        "application/zip",
        "application/epub+zip",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.presentation",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/tiff",
        "audio/mpeg",
        "audio/mp4",
        "audio/x-m4a",
        "audio/ogg",
        "audio/flac",
        "audio/x-wav",
        "video/mp4",
        "video/quicktime",
        "video/webm",
        "video/ogg",
    }
)
"""Text is allowed too, see `is_allowed`. Not here: programs, pages, SVG, and the Office files of before 2007, whose
beginnings don't tell them from installers."""

PAGES = frozenset({"text/html", "text/xml"})


def type_of(head: bytes) -> str:
    """Return the media type of a file that begins with these bytes; text of any kind is `text/plain`."""
    found: str = magic.from_buffer(head, mime=True)
    return "text/plain" if found.startswith("text/") and found not in PAGES else found


def is_allowed(content_type: str) -> bool:
    """Return whether files of this type may belong to a lesson."""
    return content_type in ALLOWED or content_type == "text/plain"
