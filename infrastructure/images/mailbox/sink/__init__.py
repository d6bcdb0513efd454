"""The mail sink of development: see `__main__.py`."""
