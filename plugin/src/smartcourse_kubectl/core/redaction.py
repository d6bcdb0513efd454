"""Taking secrets out of what is handed on.

Twice, for neither way is enough: by form (values of environment variables and Secrets, passwords in URLs, tokens,
keys, what kubectl remembers of an applied manifest), and by the values that the Secrets really hold, however written.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from shared.redaction import REDACTED, without_secrets
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SECRET_KEY = re.compile(r"passw|pwd|secret|token|key|credential|url|uri|dsn|auth", re.IGNORECASE)
ASSIGNED = re.compile(
    r"""(?ix) (?P<name> [\w-]* (?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|private[_-]?key) ["']? \s* [=:] \s*)
    (?! ["']? \[redacted ) (?: (?P<quote> ["']) (?:(?!(?P=quote))[^\\]|\\.)+ (?P=quote) | (?<==) [^\s&,;"']+ )"""
)
"""`password=…`, `"token": "…"`: an unquoted value only after an equals sign, for prose has colons."""
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
SHORTEST_SECRET = 3
SHORTEST_OTHER = 8
SHORTEST_LINE = 16
"""Of a value of many lines, each line as long as this is looked for by itself."""


def without_known_forms(text: str) -> str:
    """Return `text` without what is secret by its form."""
    text = PRIVATE_KEY.sub(REDACTED, without_secrets(text))
    return ASSIGNED.sub(lambda match: f"{match['name']}{match['quote'] or ''}{REDACTED}{match['quote'] or ''}", text)


def public_words(*more: str) -> frozenset[str]:
    """Return words that are no secret although a Secret may hold one, as its user or its database."""
    return frozenset({*names.COMPONENTS, names.PART_OF, names.OPERATOR, "true", "false", *more})


class Redactor:
    """Knows the values of Secrets, and blanks them out, naming the Secret and its key."""

    def __init__(self, secrets: Iterable[Document] = (), *, public: frozenset[str] = frozenset()) -> None:
        self._names: dict[str, str] = {}
        for secret in secrets:
            for key, encoded in (secret.get("data") or {}).items():
                for form in forms(key, encoded, public):
                    self._names.setdefault(form, f"[redacted: Secret {secret['metadata']['name']}, {key}]")
        longest_first = sorted(self._names, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """Return one line, or one text, without secrets."""
        if self._known:
            text = self._known.sub(lambda match: self._names[match[0]], text)
        return without_known_forms(text)

    def lines(self, text: str) -> str:
        """Return a log without secrets; each line is looked at by itself, so that none takes the next ones along."""
        whole = PRIVATE_KEY.sub(REDACTED, text)
        return "\n".join(map(self.text, whole.split("\n")))

    def document(self, document: Document) -> Document:
        """Return an object of the API without secrets; of a Secret only its keys are left."""
        if document.get("kind") == "Secret":
            return keys_only(document)
        return {key: self._value(key, value) for key, value in document.items()}

    def _value(self, name: str, value: Any) -> Any:
        if name == "env":
            return self._environment(value)
        if isinstance(value, Mapping):
            return {
                self.text(key): self._value(key, each)
                for key, each in value.items()
                if key not in (LAST_APPLIED, "managedFields")
            }
        if isinstance(value, list):
            return [self._value("", each) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def _environment(self, value: Any) -> Any:
        """Return the names of environment variables and where they come from, never what they are set to."""
        if isinstance(value, Mapping):
            return dict.fromkeys(value, REDACTED)
        return [
            {**{k: self._value(k, v) for k, v in each.items()}, **({"value": REDACTED} if "value" in each else {})}
            for each in value or ()
        ]


def keys_only(secret: Document) -> Document:
    """Return a Secret's name, type, labels and keys."""
    metadata = secret["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "creationTimestamp") if key in metadata}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": kept,
        "type": secret.get("type"),
        "data": dict.fromkeys(secret.get("data") or {}, REDACTED),
    }


def forms(key: str, encoded: str, public: frozenset[str]) -> set[str]:
    """Return the ways in which a Secret's value, given in base64, may be written somewhere.

    What is short is looked for only under a key that sounds secret, and a public word never: everything would be blank.
    """
    try:
        raw = base64.b64decode(encoded)
        value = raw.decode()
    except (binascii.Error, UnicodeDecodeError):
        return {encoded} if len(encoded) >= SHORTEST_OTHER else set()
    found: set[str] = set()
    for part in parts(value):
        shortest = SHORTEST_SECRET if SECRET_KEY.search(key) or part != value else SHORTEST_OTHER
        if len(part) < shortest or (part in public and not SECRET_KEY.search(key)):
            continue
        found |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], quote(part, safe="")}
        found |= {base64.b64encode(part.encode()).decode(), base64.urlsafe_b64encode(part.encode()).decode()}
    return found - public if not SECRET_KEY.search(key) else found


def parts(value: str) -> set[str]:
    """Return a value, its long lines if it has several, and the password if it is a URL."""
    found = {value, value.strip()}
    if len(lines := value.splitlines()) > 1:
        found |= {line for line in map(str.strip, lines) if len(line) >= SHORTEST_LINE and not line.startswith("-----")}
    try:
        password = urlsplit(value.strip()).password
    except ValueError:
        password = None
    return found | ({password, unquote(password)} if password else set())
