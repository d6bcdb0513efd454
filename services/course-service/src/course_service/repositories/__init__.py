"""Queries: the only place that speaks SQL or MongoDB."""
