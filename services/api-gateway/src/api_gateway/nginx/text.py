"""Writing what nginx reads: templates filled in, lines indented, paths that need no quoting."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from string import Template


class _Percent(Template):
    """`%{name}`: nginx's own variables keep their dollar sign."""

    delimiter = "%"


def fill(name: str, values: Mapping[str, object]) -> str:
    """Return the template `name` (without `.template`) with its values filled in."""
    text = (files("api_gateway.nginx") / f"{name}.template").read_text(encoding="utf-8")
    return _Percent(text).substitute(values)


def lines(texts: Iterable[str], *, indent: int = 6) -> str:
    """Return `texts`, each on a line of its own."""
    return textwrap.indent("\n".join(texts), " " * indent)


def plain_path(path: Path) -> str:
    """Return the absolute path.

    Raises:
        ValueError: a character of it would have to be quoted.
    """
    text = str(path.resolve())
    if not all(character.isalnum() or character in "/._+-" for character in text):
        raise ValueError(f"the path {text!r} has a character that nginx's configuration can't hold plainly")
    return text
