"""Registration, login, tokens and one's own account."""

from fastapi import APIRouter, status

from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from user_service.api.deps import CurrentServices, CurrentSessionId
from user_service.schemas.auth import PasswordChange, RefreshTokenRequest, TokenResponse, UserLogin, UserRegister
from user_service.schemas.user import UserResponse

router = APIRouter(prefix="/api/auth", tags=["Authentication"])


@router.post(
    "/register",
    summary="Make an account",
    status_code=status.HTTP_201_CREATED,
    responses=problems(409),
    openapi_extra=access("public", rate="login"),
)
async def register(newcomer: UserRegister, services: CurrentServices) -> UserResponse:
    """The role is always `student`; an administrator can change it afterwards."""
    return await services.auth.register(newcomer)


@router.post(
    "/login",
    summary="Exchange email and password for tokens",
    responses=problems(401, 429),
    openapi_extra=access("public", rate="login"),
)
async def login(credentials: UserLogin, services: CurrentServices) -> TokenResponse:
    """Ten failures of one account within five minutes close it for the rest of them: 429."""
    return await services.auth.log_in(email=credentials.email, password=credentials.password)


@router.post(
    "/refresh",
    summary="Exchange a refresh token for new tokens",
    responses=problems(401),
    openapi_extra=access("public", rate="public"),
)
async def refresh(presented: RefreshTokenRequest, services: CurrentServices) -> TokenResponse:
    """Every refresh token is exchanged once. Presented again within ten seconds, while its successor is unused, it
    gives that same successor; presented later, it counts as stolen and the session ends.
    """
    return await services.sessions.refresh(presented.refresh_token.get_secret_value())


@router.post(
    "/logout",
    summary="End this session",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=access("authenticated", api_keys=False),
)
async def logout(user: CurrentUser, sid: CurrentSessionId, services: CurrentServices) -> None:
    """The access token stops working within a second, the refresh token at once."""
    await services.sessions.end(sid=sid, user_id=user.user_id)


@router.post(
    "/change-password",
    summary="Change one's own password",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(429),
    openapi_extra=access("authenticated", rate="heavy", api_keys=False, idempotency=False),
)
async def change_password(
    change: PasswordChange, user: CurrentUser, sid: CurrentSessionId, services: CurrentServices
) -> None:
    """All other sessions of the person end. API keys stay as they are: revoke those that somebody else may know."""
    await services.auth.change_password(
        user_id=user.user_id, sid=sid, current=change.current_password, replacement=change.new_password
    )


@router.get(
    "/me",
    summary="Read one's own account",
    openapi_extra=access("authenticated"),
)
async def read_me(user: CurrentUser, services: CurrentServices) -> UserResponse:
    return await services.users.me(user.user_id)
