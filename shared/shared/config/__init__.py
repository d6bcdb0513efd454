"""Settings: environment variables, checked before anything starts."""
