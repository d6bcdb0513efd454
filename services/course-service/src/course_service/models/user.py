"""The columns of user-service's table `users` that course-service may read."""

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table

# A MetaData of its own: the table belongs to user-service, so migrations here neither make, compare nor drop it.
users = Table(
    "users",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("email", String(255), nullable=False),
    Column("full_name", String(255), nullable=False),
    Column("role", String(20), nullable=False),
    Column("is_active", Boolean, nullable=False),
)
