"""What routes are given."""

from typing import Annotated

from fastapi import Depends, Path, Request

from notification_service.services.container import Services
from shared.identity import Role, UserIdentity, require_roles

LARGEST_ID = 2**63 - 1


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


CurrentServices = Annotated[Services, Depends(_services)]
Administrator = Annotated[UserIdentity, Depends(require_roles(Role.ADMIN))]
BigId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
