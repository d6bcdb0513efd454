"""Alembic history of notification-service's tables; run after user-service's, whose `users` they refer to."""
