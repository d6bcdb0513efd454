"""What ends a command, and the exit code that a script sees."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; 2 is click's own for wrong use."""

    DONE = 0
    NO = 1
    """The question was answered: not Ready, refused, or not reached in time."""
    CANNOT_ASK = 3
    """There is no such thing, no permission, or no answer from the cluster."""
    INTERRUPTED = 130


class PluginError(Exception):
    """Something a person has to know: what happened to which object, and what to do."""

    def __init__(self, message: str, *, remedy: str = "", code: Exit = Exit.CANNOT_ASK) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code
