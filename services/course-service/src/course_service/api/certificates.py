"""Routes of certificates."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response, status
from fastapi.responses import JSONResponse

from course_service.api.deps import Admin, Certificates, EnrollmentId, Files
from course_service.api.downloads import Download, responses, send
from course_service.api.verification import HTML, prefers_html, unknown_page, verification_page
from course_service.core.errors import UnknownCodeError
from course_service.schemas.certificate import CertificateDetail, Revocation, Verification
from course_service.schemas.text import MAX_ID
from course_service.services.certificate_file import PDF
from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api", tags=["certificates"])

AUTHENTICATED = access("authenticated")
PRINTING = access("authenticated", rate="heavy")
"""A certificate's file is printed in a process of its own."""
ADMINS = access("admin")
RETRY_AFTER_SECONDS = 2

PAGE = {HTML: {"schema": {"type": "string"}}}

CertificateId = Annotated[int, Path(ge=1, le=MAX_ID)]


@router.post(
    "/enrollments/{enrollment_id}/certificate",
    status_code=status.HTTP_201_CREATED,
    responses=problems(403, 409) | {200: {"description": "It was given before", "model": CertificateDetail}},
    openapi_extra=PRINTING,
)
async def issue_certificate(
    certificates: Certificates, viewer: CurrentUser, enrollment_id: EnrollmentId, response: Response
) -> CertificateDetail:
    """Ask for the certificate of a completed course: for oneself, or as its instructor or an admin for a student.

    It is given at once and once: 201, later 200 with the same. Its PDF follows within seconds. 409 says which lessons
    are missing.
    """
    certificate, is_new = await certificates.issue(viewer, enrollment_id)
    response.status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    response.headers["Location"] = f"/api/certificates/{certificate.id}"
    return certificate


@router.get("/certificates/mine", openapi_extra=AUTHENTICATED)
async def list_my_certificates(
    certificates: Certificates, student: CurrentUser, params: PageParams
) -> PaginatedResponse[CertificateDetail]:
    """The caller's own certificates, the newest first."""
    return PaginatedResponse[CertificateDetail].of(await certificates.mine(student, params))


@router.get(
    "/certificates/verify/{code}",
    response_model=Verification,
    responses={
        200: {"description": "Valid or revoked", "content": PAGE},
        404: {"description": "No certificate has this code", "content": PAGE | problems(404)[404]["content"]},
    },
    openapi_extra=access("public", rate="public"),
)
async def verify_certificate(certificates: Certificates, code: str, request: Request) -> Response:
    """Whether the certificate with this code is valid, for anybody: JSON, or a page for a browser. 404: no such."""
    if not prefers_html(request.headers.get("accept", "")):
        found = await certificates.verify(code)
        headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
        return JSONResponse(found.model_dump(mode="json"), headers=headers)
    try:
        return verification_page(await certificates.verify(code))
    except UnknownCodeError as error:
        return unknown_page(error.title)


@router.get("/certificates/{certificate_id}", openapi_extra=AUTHENTICATED)
async def get_certificate(
    certificates: Certificates, viewer: CurrentUser, certificate_id: CertificateId
) -> CertificateDetail:
    """A certificate, for its student, the course's instructor and admins."""
    return await certificates.get(viewer, certificate_id)


@router.get(
    "/certificates/{certificate_id}/pdf",
    response_class=Response,
    responses=responses(
        PDF, status_202={"description": "It is still being made: ask again soon", "model": CertificateDetail}
    ),
    openapi_extra=PRINTING,
)
async def get_certificate_pdf(
    certificates: Certificates, files: Files, viewer: CurrentUser, certificate_id: CertificateId, request: Request
) -> Response:
    """The certificate as PDF. A revoked one's is still the record; `verify` tells what it is worth.

    202 with the certificate and Retry-After while the file is being made.
    """
    certificate, file_id = await certificates.get_with_file(viewer, certificate_id)
    if file_id is not None:
        size_bytes = await files.find_size(file_id)
        if size_bytes is not None:
            return await send(
                request, files, Download(file_id, f"{certificate.certificate_number}.pdf", PDF, size_bytes)
            )
        await certificates.replace_file(certificate_id, file_id)
        await files.delete(file_id)  # what is left of it
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Cache-Control": "no-store"}
    return JSONResponse(certificate.model_dump(mode="json"), status.HTTP_202_ACCEPTED, headers)


@router.post("/certificates/{certificate_id}/revoke", openapi_extra=ADMINS)
async def revoke_certificate(
    certificates: Certificates, _: Admin, certificate_id: CertificateId, revocation: Revocation
) -> CertificateDetail:
    """Declare a certificate invalid. One that is keeps its date and reason."""
    return await certificates.revoke(certificate_id, revocation.reason)


@router.post("/certificates/{certificate_id}/restore", openapi_extra=ADMINS)
async def restore_certificate(certificates: Certificates, _: Admin, certificate_id: CertificateId) -> CertificateDetail:
    """Make a revoked certificate valid again."""
    return await certificates.restore(certificate_id)
