"""What carries notifications outside: adapters of `core.carrying.Carrier`."""
