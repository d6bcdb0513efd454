"""The cache of bodies."""

from __future__ import annotations

from course_service.core.cache import LRUCache


def test_what_was_used_least_recently_goes_first() -> None:
    cache: LRUCache[str] = LRUCache(max_bytes=10)
    cache.put("a", "A", size_bytes=5)
    cache.put("b", "B", size_bytes=5)
    assert cache.find("a") == "A"
    cache.put("c", "C", size_bytes=5)
    assert (cache.find("a"), cache.find("b"), cache.find("c")) == ("A", None, "C")


def test_what_fills_it_alone_is_not_kept() -> None:
    cache: LRUCache[str] = LRUCache(max_bytes=10)
    cache.put("a", "A", size_bytes=5)
    cache.put("huge", "H", size_bytes=11)
    assert cache.find("huge") is None
    assert cache.find("a") == "A"


def test_putting_again_counts_once() -> None:
    cache: LRUCache[str] = LRUCache(max_bytes=10)
    for _ in range(5):
        cache.put("a", "A", size_bytes=5)
    cache.put("b", "B", size_bytes=5)
    assert len(cache) == 2
