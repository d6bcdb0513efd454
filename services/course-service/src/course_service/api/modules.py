"""Routes of a course's modules."""

from __future__ import annotations

from fastapi import APIRouter, Response, status

from course_service.api.deps import Author, CourseId, ExpectedVersion, ModuleId, Modules, set_etag
from course_service.schemas.module import ModuleCreate, ModuleOutline, ModuleUpdate
from shared.access import access
from shared.identity import CurrentIdentity
from shared.openapi import problems

router = APIRouter(prefix="/api/courses/{course_id}/modules", tags=["modules"])

AUTHORS = access("instructor", "admin")


@router.post("", status_code=status.HTTP_201_CREATED, responses=problems(409), openapi_extra=AUTHORS)
async def create_module(
    modules: Modules, author: Author, course_id: CourseId, new: ModuleCreate, response: Response
) -> ModuleOutline:
    """Add a module to the course, at its end unless a position is named."""
    module = await modules.create(author, course_id, new)
    response.headers["Location"] = f"/api/courses/{course_id}/modules/{module.id}"
    set_etag(response, module.version)
    return module


@router.get("", openapi_extra=access("public", rate="public"))
async def list_modules(modules: Modules, viewer: CurrentIdentity, course_id: CourseId) -> list[ModuleOutline]:
    """The course's modules in order, with the lessons that the caller may see."""
    return await modules.outline(viewer, course_id)


@router.patch("/{module_id}", responses=problems(409), openapi_extra=AUTHORS)
async def update_module(
    modules: Modules,
    author: Author,
    course_id: CourseId,
    module_id: ModuleId,
    changes: ModuleUpdate,
    expected: ExpectedVersion,
    response: Response,
) -> ModuleOutline:
    """Rename the module, or move it to another position."""
    module = await modules.update(author, course_id, module_id, changes, expected_version=expected)
    set_etag(response, module.version)
    return module


@router.put("/{module_id}", responses=problems(409), openapi_extra=AUTHORS)
async def replace_module(
    modules: Modules,
    author: Author,
    course_id: CourseId,
    module_id: ModuleId,
    new: ModuleCreate,
    expected: ExpectedVersion,
    response: Response,
) -> ModuleOutline:
    """Replace what an author sets of a module; without a position it stays where it is."""
    changes = ModuleUpdate(**new.model_dump(exclude_none=True))
    module = await modules.update(author, course_id, module_id, changes, expected_version=expected)
    set_etag(response, module.version)
    return module


@router.delete("/{module_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problems(409), openapi_extra=AUTHORS)
async def delete_module(
    modules: Modules, author: Author, course_id: CourseId, module_id: ModuleId, expected: ExpectedVersion
) -> None:
    """Take the module and its lessons out of the course."""
    await modules.delete(author, course_id, module_id, expected_version=expected)
