"""`python -m course_service.seed --demo`: safe to repeat."""

from __future__ import annotations

import argparse
import asyncio
import sys

from course_service.config import SeedSettings
from course_service.core.mongodb import MongoDB
from course_service.events.producer import OutboxPublisher
from course_service.repositories.revision import RevisionRepository
from course_service.seed import DemoSeed
from course_service.services.course import CourseService
from course_service.services.lesson import LessonService
from course_service.services.module import ModuleService
from shared.config.settings import load
from shared.database import Database
from shared.exceptions.base import SmartCourseError
from shared.utils.datetime import SystemClock


async def _seed(settings: SeedSettings) -> int:
    clock = SystemClock()
    database = Database(settings, application_name=settings.service_name)
    mongodb = MongoDB(settings.mongodb_url.get_secret_value())
    try:
        return await DemoSeed(
            database=database,
            courses=CourseService(database, OutboxPublisher(), clock),
            modules=ModuleService(database, clock),
            lessons=LessonService(database, RevisionRepository(mongodb), clock),
        ).run()
    finally:
        await mongodb.close()
        await database.dispose()


def main() -> int:
    """Return the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_service.seed", description=__doc__)
    parser.add_argument("--demo", action="store_true", required=True, help="three published courses")
    parser.parse_args()
    try:
        published = asyncio.run(_seed(load(SeedSettings)))
    except SmartCourseError as error:
        sys.stderr.write(f"The demo courses could not be made: {error.detail}\n")
        return 1
    sys.stderr.write(f"{published} demo courses published, the others were there.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
