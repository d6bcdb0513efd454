"""Accounts that an installation starts with: `python -m user_service.seed [--demo]`."""
