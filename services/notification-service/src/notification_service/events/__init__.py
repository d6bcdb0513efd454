"""What arrives from other services."""
