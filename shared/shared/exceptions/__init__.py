"""Errors that carry facts, and how they are told to clients (RFC 9457)."""
