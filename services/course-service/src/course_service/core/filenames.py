"""Names of files, as they may be stored and told."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

MAX_CHARACTERS = 255
MAX_EXTENSION_CHARACTERS = 16
UNSAFE = re.compile(r'[<>:"|?*]')


def safe_filename(name: str) -> str:
    """Return the last part of `name`, composed (NFC), without what a file system or a header would misread.

    Control and format characters go (those that reverse text could hide an extension), so do dots and spaces at the
    ends; a name too long keeps its extension; nothing left is `file`.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    one_line = " ".join(last.split())
    printable = "".join(character for character in one_line if unicodedata.category(character)[0] != "C")
    clean = UNSAFE.sub("_", printable).strip(". ")
    stem, dot, extension = clean.rpartition(".")
    if not dot or len(extension) > MAX_EXTENSION_CHARACTERS:
        return clean[:MAX_CHARACTERS].strip(". ") or "file"
    return stem[: MAX_CHARACTERS - len(extension) - 1].rstrip(". ") + dot + extension


def content_disposition(name: str) -> str:
    """Return the header (RFC 6266) by which a client saves a file under `name`, which `safe_filename` has made.

    The plain form is made safe again: taking characters apart for ASCII makes quotes and slashes of their wide forms.
    """
    plain = safe_filename(unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode())
    extended = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return f'attachment; filename="{plain}"{extended}'
