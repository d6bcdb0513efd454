"""A log line with the pod it came from."""

from __future__ import annotations

from rich.text import Text

from smartcourse_kubectl.core.log_lines import Line, shown

COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
LEVEL_STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}


def prefixed(source: str, line: Line, *, width: int, colour: str) -> Text:
    """Return a line after its source, which is filled up to `width`."""
    return Text.assemble((f"{source:<{width}} │ ", colour), readable(line))


def readable(line: Line) -> Text:
    """Return time, level, message and fields; a traceback follows on lines of its own."""
    style = LEVEL_STYLES.get(line.level, "")
    text = Text(f"{line.time} " if line.time else "", style="dim")
    if line.level:
        text.append(f"{line.level.upper():<8} ", style=style or "green")
    text.append(line.message, style=style)
    for key, value in line.fields.items():
        text.append(f"  {key}=", style="dim")
        text.append(shown(value), style="dim" if key.endswith("_id") else style)
    if line.trailer:
        text.append("\n" + line.trailer.rstrip(), style=style)
    return text
