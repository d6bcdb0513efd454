"""What tells a request from another one that bears the same key."""

import hashlib
import re

_BOUNDARY = re.compile(rb'(multipart/[^;]*;.*?\bboundary=)("[^"]+"|[^\s;"]+)', re.IGNORECASE)
_PLACEHOLDER = b"\0"  # in no boundary


class Fingerprint:
    """SHA-256 of parts, each told from its neighbours by its length, then a Content-Type and a body as it arrives.

    The boundary of a multipart body is left out: clients make up another one each time they send the same form.
    """

    def __init__(self, *parts: bytes, content_type: bytes = b"") -> None:
        found = _BOUNDARY.match(content_type)
        self._marker = b"--" + found[2].strip(b'"') if found else b""
        self._held = b""
        self._hash = hashlib.sha256()
        for part in (*parts, _BOUNDARY.sub(rb"\1", content_type)):
            self._hash.update(len(part).to_bytes(8, "big") + part)

    def update(self, data: bytes) -> None:
        """Add bytes of the body; how they are cut makes no difference."""
        if not self._marker:
            self._hash.update(data)
            return
        data = (self._held + data).replace(self._marker, _PLACEHOLDER)
        # The last bytes may be the beginning of a boundary.
        cut = max(0, len(data) - len(self._marker) + 1)
        self._hash.update(data[:cut])
        self._held = data[cut:]

    def digest(self) -> bytes:
        """The fingerprint of what has been added."""
        whole = self._hash.copy()
        whole.update(self._held)
        return whole.digest()
