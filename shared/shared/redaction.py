"""What of a text is known to be secret by its form alone: in log lines, and in what is handed on for support."""

import re

REDACTED = "[redacted]"
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bsck_[\w-]+|(?<=Bearer )\S+")
# PostgreSQL quotes the row that breaks a constraint, asyncpg the argument that it can't encode. Either may have many
# lines: it ends where the next part of the message begins, or with that.
_END = r"(?=\n(?:HINT|CONTEXT|QUERY|POSITION): |\n\[SQL: |\n\n(?:The above|During handling of the above) exception|\Z)"
_ROW = re.compile(rf"(?<=DETAIL:  ).*?{_END}", re.DOTALL)
_ARGUMENT = re.compile(rf"(?<=invalid input for query argument \$)(\d+): .*?{_END}", re.DOTALL)


def without_secrets(text: str) -> str:
    """Return `text` without passwords in URLs, tokens, and rows and arguments that a database quotes."""
    text = _ARGUMENT.sub(rf"\1: {REDACTED}", text)
    return _ROW.sub(REDACTED, _TOKEN.sub(REDACTED, _URL_PASSWORD.sub(rf"\1:{REDACTED}", text)))
