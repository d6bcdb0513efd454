"""All routes of course-service."""

from course_service.api import attachments, certificates, courses, enrollments, lessons, modules, progress, quizzes

TITLE = "SmartCourse courses"
DESCRIPTION = (
    "Courses, their modules and lessons, the public catalogue, enrollments, progress, quizzes, certificates and files."
)
ROUTERS = (
    courses.router,
    modules.router,
    lessons.router,
    enrollments.router,
    progress.router,
    quizzes.router,
    certificates.router,
    attachments.router,
)
