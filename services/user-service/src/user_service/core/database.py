"""The declarative base of this service's tables, and the name they go by."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from shared.database import NAMING_CONVENTION

SERVICE = "user"
"""This service's short name: prefix of its outbox, version table and database roles."""


class Base(DeclarativeBase):
    """Base of this service's models."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
