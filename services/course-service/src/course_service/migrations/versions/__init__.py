"""Revisions, the oldest first."""
