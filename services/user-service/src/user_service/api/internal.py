"""What the gateway itself asks.

The path is none of the API's: no route of the gateway leads here, and who comes without its signature is refused like
anywhere else.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from shared.api_keys import LOOKUP_PATH, ApiKey, ApiKeyHolder
from user_service.api.deps import CurrentServices

router = APIRouter(prefix=LOOKUP_PATH, include_in_schema=False)

PublicId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
Digest = Annotated[str, Query(pattern="^[0-9a-f]{64}$")]


@router.get("/{public_id}")
async def look_up_api_key(public_id: PublicId, digest: Digest, services: CurrentServices) -> ApiKeyHolder:
    """Whom the key speaks for; 404 if it is no good, for whatever reason."""
    return await services.api_keys.look_up(ApiKey(public_id, bytes.fromhex(digest)))
