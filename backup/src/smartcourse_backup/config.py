"""Settings, from environment variables; the operator sets them in the Jobs that it makes."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
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

    scratch: Path = Field(Path("/scratch"), description="Room for the dump, and for what is restored to be checked.")
    result: Path = Field(Path("/dev/termination-log"), description="Where the result is written, as JSON.")
