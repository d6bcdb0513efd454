"""The HTTP edge of course-service."""
