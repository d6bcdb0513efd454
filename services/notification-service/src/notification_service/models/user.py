"""What notification-service sees of user-service's table `users`."""

from sqlalchemy import Column, Integer, MetaData, Table

# A MetaData of its own: the table belongs to user-service, so migrations here neither make, compare nor drop it.
users = Table("users", MetaData(), Column("id", Integer, primary_key=True))
