"""Shapes that all services' APIs have in common."""
