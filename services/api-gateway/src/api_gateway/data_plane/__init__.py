"""What other data planes than our nginx are told: which headers they set and remove, which service has which paths."""
