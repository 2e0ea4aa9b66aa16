"""How the cloud says no: the tables of codes, and the bodies in all the shapes that IAM, IMS and the gateway use.

Knows texts and shapes only; when to say which is decided where the check is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator.settings import Settings
from airflow_provider_ims.simulator.wire import json_response

Shape = Literal["ims", "gateway", "iam", "iam_table", "native", "policy"]

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
TITLES |= {413: "Request Entity Too Large", 429: "Too Many Requests", 500: "Internal Server Error"}
TITLES |= {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}

IMS_MESSAGES = {
    "IMG.0001": "The request message format is invalid.",
    "IMG.0002": "The image name contains more than 128 characters.",
    "IMG.0003": "The image name format is invalid.",
    "IMG.0004": "The description contains more than 1024 characters.",
    "IMG.0007": "The request body is empty.",
    "IMG.0009": "The image name already exists.",
    "IMG.0013": "The image name is not specified.",
    "IMG.0014": "An exception occurred when IaaS OpenStack was executing the task.",
    "IMG.0015": "The number of private images has reached the maximum allowed.",
    "IMG.0018": "The job could not be submitted.",
    "IMG.0023": "The task could not be queried.",
    "IMG.0026": "The role of the user is invalid.",
    "IMG.0027": "The image does not exist.",
    "IMG.0028": "The image is protected and cannot be deleted.",
    "IMG.0030": "The project ID does not match the token.",
    "IMG.0046": "The image is unavailable.",
    "IMG.0054": "The description format is invalid.",
    "IMG.0059": "The image is too large.",
    "IMG.0060": "The number of tasks exceeds the flow control limit.",
    "IMG.0061": "Unknown error.",
    "IMG.0066": "The image ID is invalid.",
    "IMG.0067": "The project ID is invalid.",
    "IMG.0090": "The image is being created and cannot be deleted.",
    "IMG.0092": "Only the owner can delete the image.",
    "IMG.0094": "A public image cannot be deleted.",
    "IMG.0095": "The encryption key does not exist.",
    "IMG.0096": "The encryption key is the one that the source image is encrypted with.",
    "IMG.0097": "The encryption key is disabled.",
    "IMG.0099": "The encryption key cannot be accessed.",
    "IMG.0101": "The encryption key of the source image does not exist.",
    "IMG.0102": "The encryption key of the source image is disabled.",
    "IMG.0103": "The encryption key of the source image cannot be accessed.",
    "IMG.0105": "The operation is not supported for this image.",
    "IMG.0130": "A full-ECS image cannot be copied.",
    "IMG.0155": "The enterprise project ID could not be verified.",
    "IMG.0161": "You have no permission to perform the operation.",
    "IMG.0167": "The operation is not supported for ISO images.",
    "IMG.0187": "The KMS traffic limit has been reached.",
}
GATEWAY_ERRORS = {
    "APIGW.0101": (404, "The API does not exist or has not been published in the environment."),
    "APIGW.0201": (504, "Backend timeout."),
    "APIGW.0202": (502, "Backend unavailable."),
    "APIGW.0203": (504, "Backend timeout."),
    "APIGW.0301": (401, "Incorrect IAM authentication information"),
    "APIGW.0302": (403, "The IAM user is not allowed to access the API."),
    "APIGW.0307": (401, "The token must be updated."),
    "APIGW.0308": (429, "The throttling threshold has been reached"),
    "APIGW.0310": (403, "The project is unavailable."),
    "APIGW.0601": (500, "Internal server error."),
    "APIGW.0613": (503, "The IAM service is unavailable."),
}
IAM_ERRORS = {
    "IAM.0001": (401, "The request you have made requires authentication."),
    "IAM.0003": (403, "You are not authorized to perform the requested action."),
    "IAM.0004": (404, "Could not find the requested resource."),
    "IAM.0006": (500, "An unexpected error prevented the server from fulfilling your request."),
    "IAM.0011": (400, "The request body is invalid."),
    "IAM.0012": (429, "The throttling threshold has been reached"),
    "IAM.0061": (401, "The account is locked."),
    "IAM.0062": (401, "The username or password is wrong."),
    "IAM.0066": (401, "The token has expired."),
    "IAM.0067": (401, "The X-Auth-Token is invalid!"),
    "IAM.0072": (400, "A property is missing in the request body"),
    "IAM.0073": (400, "The input parameters are wrong"),
    "IAM.0080": (403, "The user is disabled."),
    "IAM.1101": (400, "The size of the request body is over the limit."),
}


@dataclass(eq=False)
class Refusal(Exception):
    """The cloud refuses a request: which shape the body has, with what in it."""

    shape: Shape
    status: int
    code: str
    message: str
    headers: dict[str, str] = field(default_factory=dict)


def ims(code: str) -> Refusal:
    """What an extension API of IMS refuses with: 400, except IMG.0026."""
    return Refusal("ims", 403 if code == "IMG.0026" else 400, code, IMS_MESSAGES.get(code, "The request is refused."))


def gateway(code: str, detail: str = "", headers: dict[str, str] | None = None) -> Refusal:
    """What the API gateway refuses with before IMS sees the request."""
    status, message = GATEWAY_ERRORS[code]
    return Refusal("gateway", status, code, f"{message}: {detail}" if detail else message, headers or {})


def iam(code: str, detail: str = "", status: int | None = None) -> Refusal:
    """What IAM refuses with, in the shape that the settings choose."""
    known, message = IAM_ERRORS[code]
    return Refusal("iam", status or known, code, detail or message)


def render(refusal: Refusal, request_id: str, settings: Settings) -> Response:
    """The response that carries a refusal."""
    if refusal.shape == "native" and settings.native_errors != "json":
        return _native_page(refusal, settings.native_errors)
    return json_response(refusal.status, _body(refusal, request_id, settings), refusal.headers)


def _body(refusal: Refusal, request_id: str, settings: Settings) -> dict[str, Any]:
    title = TITLES.get(refusal.status, "Error")
    keystone = {"error": {"code": refusal.status, "message": refusal.message, "title": title}}
    table = {"error_msg": refusal.message, "error_code": refusal.code}
    match refusal.shape:
        case "ims":
            return {"error": {"message": refusal.message, "code": refusal.code}}
        case "gateway" if not refusal.code:
            return {"message": refusal.message, "request_id": request_id}
        case "gateway":
            return {**table, "request_id": request_id}
        case "iam" if settings.iam_error_shape == "keystone":
            return keystone
        case "iam" | "iam_table":
            return table
        case _:
            return keystone


def _native_page(refusal: Refusal, form: Literal["html", "plain"]) -> Response:
    if form == "plain":
        return Response(refusal.status, {"Content-Type": "text/plain; charset=UTF-8"}, refusal.message.encode())
    return html_page(refusal.status, refusal.message)


def html_page(status: int, message: str) -> Response:
    """An error page as a proxy or the native image API shows it."""
    title = f"{status} {TITLES.get(status, 'Error')}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1>{message}</body></html>"
    return Response(status, {"Content-Type": "text/html; charset=UTF-8"}, page.encode())
