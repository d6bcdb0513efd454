"""`python -m course_service.seed --demo`, `--courses N --learners M`: safe to repeat, also when interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys

from course_service.config import SeedSettings
from course_service.core.mongodb import MongoDB
from course_service.events.producer import OutboxPublisher
from course_service.repositories.revision import RevisionRepository
from course_service.seed.demo import DemoSeed
from course_service.seed.learners import DemoLearning
from course_service.seed.load import LoadSeed
from course_service.services.certificate import CertificateService
from course_service.services.course import CourseService
from course_service.services.enrollment import EnrollmentService
from course_service.services.lesson import LessonService
from course_service.services.module import ModuleService
from course_service.services.progress import ProgressService
from course_service.services.quiz import QuizService
from shared.config.settings import load
from shared.database import Database
from shared.exceptions.base import SmartCourseError
from shared.utils.datetime import SystemClock


def tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def seed(settings: SeedSettings, arguments: argparse.Namespace) -> None:
    database = Database(settings, application_name=settings.service_name)
    mongodb = MongoDB(settings.mongodb_url.get_secret_value())
    clock, publisher, revisions = SystemClock(), OutboxPublisher(), RevisionRepository(mongodb)
    enrollments = EnrollmentService(database, publisher, clock)
    demo = DemoSeed(
        database=database,
        courses=CourseService(database, publisher, clock),
        modules=ModuleService(database, clock),
        lessons=LessonService(database, revisions, clock),
    )
    learning = DemoLearning(
        database=database,
        enrollments=enrollments,
        progress=ProgressService(database, publisher, clock),
        quizzes=QuizService(database, revisions, publisher, clock),
        certificates=CertificateService(database, publisher, clock, public_url=""),  # nobody is shown an address here
        tell=tell,
    )
    try:
        if arguments.demo:
            tell(f"{await demo.run()} demo courses published, the others were there.")
            tell(f"{await learning.run()} demo learners set out, the others were on their way.")
        if arguments.courses or arguments.learners:
            made = LoadSeed(database=database, demo=demo, enrollments=enrollments, tell=tell)
            await made.run(courses=arguments.courses, learners=arguments.learners)
    finally:
        await mongodb.close()
        await database.dispose()


def count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError("must be from 0 to 1,000,000")
    return number


def main() -> int:
    """Return the process's exit status."""
    parser = argparse.ArgumentParser(prog="python -m course_service.seed", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="three published courses, and learners in every state")
    parser.add_argument("--courses", type=count, default=0, metavar="N", help="so many made-up courses")
    parser.add_argument("--learners", type=count, default=0, metavar="M",
                        help="enroll so many of user-service's made-up learners")  # fmt: skip
    arguments = parser.parse_args()
    if not (arguments.demo or arguments.courses or arguments.learners):
        parser.error("say what to make: --demo, --courses, --learners")
    try:
        asyncio.run(seed(load(SeedSettings), arguments))
    except SmartCourseError as error:
        sys.stderr.write(f"The data could not be made: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
