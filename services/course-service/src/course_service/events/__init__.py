"""What course-service tells others."""
