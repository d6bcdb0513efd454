"""`kubectl smartcourse`: what an administrator of a SmartCourse looks at and does."""
