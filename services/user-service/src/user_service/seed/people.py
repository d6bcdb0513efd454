"""The people of the demo data. Nobody knows their passwords: an administrator may look at them, nobody logs in."""

from dataclasses import dataclass

from user_service.schemas.instructor import InstructorProfileUpdate
from user_service.schemas.user import UserRole

DEMO_DOMAIN = "demo.smartcourse.example"
LOAD_DOMAIN = "load.smartcourse.example"


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One account of the demo data."""

    name: str
    full_name: str
    role: UserRole
    profile: InstructorProfileUpdate | None = None

    @property
    def email(self) -> str:
        return f"{self.name}@{DEMO_DOMAIN}"


DEMO_PEOPLE = (
    DemoPerson(
        name="instructor1",
        full_name="Demo Instructor One",
        role=UserRole.INSTRUCTOR,
        profile=InstructorProfileUpdate(
            headline="Teaches how services talk to each other",
            bio="A demo profile: what an instructor might say about themselves.",
            expertise=["Distributed systems", "Python"],
        ),
    ),
    DemoPerson(
        name="instructor2",
        full_name="Demo Instructor Two",
        role=UserRole.INSTRUCTOR,
        profile=InstructorProfileUpdate(
            headline="Teaches how data is kept",
            bio="A demo profile: what an instructor might say about themselves.",
            expertise=["Databases", "Statistics"],
        ),
    ),
    # One for each state that an enrollment can be in; course-service's seed sends them on their way.
    *(
        DemoPerson(name=f"student{number}", full_name=f"Demo Student {word}", role=UserRole.STUDENT)
        for number, word in enumerate(("One", "Two", "Three", "Four", "Five", "Six"), start=1)
    ),
)
