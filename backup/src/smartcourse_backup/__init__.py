"""Backups of a SmartCourse: one restore point over PostgreSQL and MongoDB, kept in a restic repository."""
