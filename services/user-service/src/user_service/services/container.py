"""All of this service's use cases, as `main` puts them together and routes find them."""

from dataclasses import dataclass

from user_service.services.api_key import ApiKeyService
from user_service.services.auth import AuthService
from user_service.services.instructor import InstructorService
from user_service.services.session import SessionService
from user_service.services.user import UserService


@dataclass(frozen=True, slots=True)
class Services:
    """One instance of each use case class; they hold no state of a request."""

    auth: AuthService
    sessions: SessionService
    users: UserService
    instructors: InstructorService
    api_keys: ApiKeyService
