"""The service's own ground: the declarative base and its errors."""
