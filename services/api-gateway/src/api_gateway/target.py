"""The canonical form of a request target: the one shape that every hop reads alike.

nginx matches locations on a decoded path, the decision and the services see the raw one. A target in canonical form
leaves nothing to decode differently: no escaped letter, digit, `-._~`, `%`, slash, backslash or control character, no
empty or dot segment, no `;`, `\\`, `#` or raw UTF-8. Everything else is answered 400, by nginx and again by the
decision, from this one pattern (Python's `re` and PCRE read it alike).
"""

from __future__ import annotations

import re

_PATH_ESCAPE = (
    "%(?:2[0-46-9a-cA-C]|3[a-fA-F]|40|5[bdeBDE]|60|7[b-dB-D]|[89a-fA-F][0-9a-fA-F])"  # reserved characters and UTF-8
)
_SEGMENT = f"(?!/|[.][.]?(?:[/? ]|$))(?:[A-Za-z0-9._~!$&'()*+,=:@-]|{_PATH_ESCAPE})*+"
_QUERY = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/?|-]|[][]|%(?!00)[0-9a-fA-F]{2})*+"

CANONICAL_PATH = f"(?:/{_SEGMENT})++"
CANONICAL_TARGET = f"{CANONICAL_PATH}(?:[?]{_QUERY})?"
"""Regular expressions without anchors, free of characters that nginx's configuration would need escaped.

Their repetitions are possessive: no two alternatives begin alike, so there is nothing to come back to, and PCRE needs
no stack for it. With one, it gave up on long targets, and nginx logged them, query and all.
"""

_canonical = re.compile(CANONICAL_TARGET)


def is_canonical(target: str) -> bool:
    """Return whether `target` (path and query as in the request line) is in canonical form."""
    return _canonical.fullmatch(target) is not None
