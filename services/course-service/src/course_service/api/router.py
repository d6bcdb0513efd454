"""All routes of course-service."""

from course_service.api import courses, lessons, modules

TITLE = "SmartCourse courses"
DESCRIPTION = "Courses, their modules and lessons, and the public catalogue."
ROUTERS = (courses.router, modules.router, lessons.router)
