"""What goes in and out of course-service as JSON."""
