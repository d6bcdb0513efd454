"""What notification-service sees of user-service's table `users`: the columns that it is granted."""

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table

# A MetaData of its own: the table belongs to user-service, so migrations here neither make, compare nor drop it.
users = Table(
    "users",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("email", String),
    Column("full_name", String),
    Column("role", String),
    Column("is_active", Boolean),
)
