"""Alembic, run by the service that owns the tables: ``python -m <package>.migrations --help``.

    # <package>/migrations/__main__.py
    sys.exit(Migrations("user_service", "user").main())

Revisions are ``<package>/migrations/versions/*.py``, in one line. Those that say ``phase = "contract"`` remove what
only the release before needs, and run once it is gone: ``upgrade`` stops before those at the end, ``contract`` runs
them. All run as ``<service>_owner``, so that tables belong to it, one process at a time, and are noted in
``<service>_alembic_version``.
"""

from shared.migrations.commands import main
from shared.migrations.history import MigrationError, Migrations

__all__ = ["MigrationError", "Migrations", "main"]
