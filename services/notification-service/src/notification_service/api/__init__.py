"""HTTP: routes that delegate."""
