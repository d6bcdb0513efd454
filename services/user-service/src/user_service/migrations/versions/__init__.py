"""Revisions, oldest first by number. A released one is never edited."""
