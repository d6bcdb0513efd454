"""Certificates on paper: rendered in a process of their own, which knows no database and reaches no network."""
