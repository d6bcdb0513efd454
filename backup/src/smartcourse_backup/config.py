"""Settings, from environment variables; the operator sets them in the Jobs that it makes."""

from __future__ import annotations

from pathlib import Path

from pydantic import AwareDatetime, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What one run works on. restic reads RESTIC_REPOSITORY, RESTIC_PASSWORD and AWS_* from the environment itself."""

    model_config = SettingsConfigDict(frozen=True)

    postgres_admin_url: SecretStr = Field(description="postgresql://user:password@host:port/any, of an administrator.")
    mongodb_admin_url: SecretStr = Field(description="mongodb://user:password@host:port/admin, of an administrator.")
    redis_url: SecretStr | None = Field(None, description="Redis, which is emptied by a restore.")
    database: str = Field("smartcourse", description="Name of the database, in PostgreSQL and in MongoDB.")
    restic_repository: str = Field(description="Where backups are kept, as restic names it.")
    restic_password: SecretStr = Field(description="What they are encrypted with.")

    backup_name: str = Field("", description="Name of this backup: run again, it makes no second one.")
    backup_source: str = Field("", description="namespace/name of the SmartCourse that is backed up.")
    backup_release: str = Field("", description="The release that it runs.")
    is_scheduled: bool = Field(False, description="Whether retention applies to this backup.")
    keep: int = Field(7, ge=1, description="Scheduled backups that are kept.")
    verify: bool = Field(True, description="Restore each backup into a server of its own before it counts.")
    snapshot: str = Field("", description="The snapshot to check or to restore.")

    target_time: AwareDatetime | None = Field(None, description="Recover PostgreSQL to this moment, from the archive.")

    source_database: str = Field("", description="Name that the database has in the archive, where it is another.")

    archive_interval_seconds: float = Field(60, gt=0, description="How often the log is stored: what may be lost.")
    base_interval_hours: float = Field(24, gt=0, description="How old the newest base backup becomes.")
    keep_bases: int = Field(7, ge=1, description="Base backups that are kept, with the log since the oldest.")
    spool: Path = Field(Path("/spool"), description="Where the log is received, and base backups are made.")

    scratch: Path = Field(Path("/scratch"), description="Room for the dump, and for what is restored to be checked.")
    result: Path = Field(Path("/dev/termination-log"), description="Where the result is written, as JSON.")
