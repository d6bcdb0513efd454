"""The declarative base of notification-service's tables."""

from enum import StrEnum

from sqlalchemy import CheckConstraint, MetaData
from sqlalchemy.orm import DeclarativeBase

from shared.database import NAMING_CONVENTION


class Base(DeclarativeBase):
    """Declares into a MetaData of the service's own."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """The database's own check that a column holds one of an enumeration's values."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(each.value) for each in values)})", name=column)
