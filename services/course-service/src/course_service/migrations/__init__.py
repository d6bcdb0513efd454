"""The history of course-service's tables."""
