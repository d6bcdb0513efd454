"""A cache in the process's memory, bounded by the bytes it holds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class LRUCache(Generic[T]):
    """Keeps the values used last, up to `max_bytes` in all; for values that never change under their key."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size_bytes = 0
        self._values: OrderedDict[str, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def find(self, key: str) -> T | None:
        """Return the value under `key`, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: str, value: T, *, size_bytes: int) -> None:
        """Keep `value`, dropping what was used least recently; one that fills the cache alone is not kept."""
        self._drop(key)
        if size_bytes > self._max_bytes:
            return
        self._values[key] = (value, size_bytes)
        self._size_bytes += size_bytes
        while self._size_bytes > self._max_bytes:
            self._drop(next(iter(self._values)))

    def _drop(self, key: str) -> None:
        _, size_bytes = self._values.pop(key, (None, 0))
        self._size_bytes -= size_bytes
