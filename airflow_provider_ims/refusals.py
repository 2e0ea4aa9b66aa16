"""What the cloud says when it refuses: its body shapes, which error they are, and what the user can do about it.

Knows the error codes of IMS, IAM and the API gateway as a table. Opens no socket and raises nothing itself.
Sources: the IMS error codes page, the IAM status code pages, the API gateway's error code page.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from airflow_provider_ims.errors import (
    ForbiddenError,
    ImsError,
    JobFailedError,
    JobInterruptedError,
    NotFoundError,
    RefusedError,
    ThrottledError,
    UnavailableError,
)
from airflow_provider_ims.models import Job, Response, text
from airflow_provider_ims.values import Value

LONGEST_RETRY_AFTER = 86_400.0
"""Seconds; whoever asks to wait for longer is taken at this."""

LONGEST_MESSAGE = 400
"""Characters of a cloud's message that are repeated; a proxy's page may have thousands."""

LONGEST_HEADER = 200
"""Characters of a header that are repeated."""

THROTTLING_CODES = frozenset({"IMG.0060", "IMG.0187", "APIGW.0308", "IAM.0012"})
"""Refused for now, before any work began (whatever the HTTP status)."""

INTERNAL_CODES = frozenset({"IMG.0014", "IMG.0018", "IMG.0061"})
"""The cloud itself broke: a request or a job (also one that FAILed with no code) may succeed when tried again."""

UNKNOWN_JOB_CODES = frozenset({"IMG.0023", "IMG.0121"})
"""What the cloud may say of a job id that it does not know (yet)."""

_NAME = "Mend `name`: 1 to 128 letters, digits, '-', '.', '_' or spaces, none at the ends."
_DESCRIPTION = "Mend `description`: at most 1,024 characters, no line break, no '<' or '>'."
_NO_IMAGE = "Check `image_id`, and that the image lies in the connection's project and region."
_NO_SUCH = "Check the id, and that it belongs to the connection's project and region."
_KEY = "Check `cmk_id`: the key must exist in this region's KMS and be enabled."
_KEY_ACCESS = "Grant the user access to the KMS key (KMS permissions `kms:*:*`), or name another `cmk_id`."
_SOURCE_KEY = "The source image's own KMS key must exist, be enabled and be accessible: enable or grant it in KMS."
_PROJECT = "Check the connection's `project_id` / `project_name` and `region`: token and request disagree."
_ENTERPRISE = "Check `enterprise_project_id`, or leave it out for the default enterprise project."
_BILLING = "Settle this in the cloud's billing centre."
_PROTECTED = (
    "The image is protected: set its `protected` to false first, in the console or by PATCH /v2/cloudimages/{image_id}."
)
_SUPPORT = "If it lasts, ask the cloud's support."
_PERMISSION = "Grant the user the permission, for example with the policy 'IMS FullAccess'."

ADVICE: Mapping[str, str] = {
    **dict.fromkeys(("IMG.0002", "IMG.0003", "IMG.0013", "IMG.0062"), _NAME),
    "IMG.0009": "An image of this name exists: choose another `name`, for example with a date in it.",
    **dict.fromkeys(("IMG.0004", "IMG.0054"), _DESCRIPTION),
    **dict.fromkeys(("IMG.0027", "IMG.0144", "IMG.0066", "IMG.0031", "IMG.0086"), _NO_IMAGE),
    **dict.fromkeys(("IMG.0023", "IMG.0121"), _NO_SUCH),
    "IMG.0028": _PROTECTED,
    "IMG.0046": "The source image is not active yet, or broken: wait until its status is 'active'.",
    "IMG.0047": "Only the owner may do this: log in with the owner's project.",
    "IMG.0059": "Images of more than 128 GB cannot be copied.",
    "IMG.0105": "The cloud does not support this for the image.",
    "IMG.0130": "Full-ECS images cannot be copied: create a system-disk image from the server and copy that.",
    "IMG.0148": "The source image is being exported: try again when that is over.",
    "IMG.0167": "ISO images cannot be copied within a region: register the file again instead.",
    "IMG.0196": "Accept the shared image in this project first.",
    "IMG.0197": "Shared images that are encrypted with KMS cannot be copied: ask the owner for an unencrypted one.",
    **dict.fromkeys(("IMG.0095", "IMG.0097", "IMG.0100"), _KEY),
    "IMG.0096": "`cmk_id` is the key that the source image already has: name another key, or copy without one.",
    "IMG.0099": _KEY_ACCESS,
    **dict.fromkeys(("IMG.0101", "IMG.0102", "IMG.0103"), _SOURCE_KEY),
    "IMG.0118": "Images for bare metal servers cannot be encrypted: leave `cmk_id` out.",
    "IMG.0015": "The quota of private images is used up: delete images or have the quota raised.",
    "IMG.0060": "Too many copies at once (five a tenant): run copies in a pool of 5 slots.",
    "IMG.0187": "KMS limits the number of requests: have fewer encrypted copies start together.",
    **dict.fromkeys(("IMG.0030", "IMG.0067", "IMG.0087", "APIGW.0307", "APIGW.0310"), _PROJECT),
    **dict.fromkeys(("IMG.0154", "IMG.0155", "IMG.0156"), _ENTERPRISE),
    **dict.fromkeys(("IMG.0238", "IMG.0239", "IMG.0241", "IMG.0242"), _BILLING),
    "APIGW.0101": "Nothing is served at this address: check the connection's host, `iam_endpoint` and `region`.",
    "APIGW.0308": "Too many requests at once: have fewer tasks start together, or look less often.",
    "IAM.0012": "Too many log-ins at once: wait, then try again.",
}
"""What a user can do, by code. Codes that nobody but the cloud's support can mend are not listed."""

_FORBIDDEN_CODES = frozenset({"IMG.0026", "IMG.0161", "APIGW.0302", "APIGW.0306", "IAM.0002", "IAM.0003"})
_NOT_FOUND_CODES = frozenset({"IMG.0027", "IMG.0144", "IMG.0086", "IMG.0121", "IAM.0004"})


class Refusal(Value, frozen=True):
    """What an error answer says: the cloud's code (``IMG.``, ``APIGW.``, ``IAM.``) and words."""

    code: str | None
    words: str

    @classmethod
    def read(cls, response: Response) -> Refusal:
        """Read any body: IMS, gateway, Keystone, XML, HTML, plain text, cut off, or none."""
        try:
            code, words = _pair(document_of(response))
        except (ValueError, RecursionError):
            return cls(None, _plain(response.body))
        return cls(_known_form(code), " ".join(words.split())[:LONGEST_MESSAGE])

    @property
    def is_protection(self) -> bool:
        """Whether the image itself forbids it, whoever asks; the native API says so in words, with a 403."""
        return self.code == "IMG.0028" or "is protected and cannot be deleted" in self.words


def document_of(response: Response) -> Any:
    """A body as JSON; raises ``ValueError``. What UTF-8 cannot hold, such as half a surrogate pair, is ``?``."""
    try:
        content = response.body.decode(json.detect_encoding(response.body), errors="replace")
        document = json.loads(content)
        if "\\ud" in content.lower():
            document = json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
        return document
    except RecursionError:
        raise ValueError("nested too deeply") from None


def refusal_of(response: Response, action: str, permission: str | None = None) -> ImsError:
    """The error that an answer other than 2xx is.

    :param action: what was tried, in the infinitive, such as ``"copy image 4650…"``.
    :param permission: what the user must be allowed for it, named where the answer is 403.
    """
    refusal = Refusal.read(response)
    said = f"the cloud said: {refusal.words}" if refusal.words else "the cloud gave no reason"
    advice = _advice(response, refusal, permission)
    message = f"Could not {action}: {said.rstrip('.')}. {advice}"
    kind = _kind(response.status, refusal)
    return kind(message, response.status, refusal.code, request_id(response), retry_after(response))


def job_failure(job: Job) -> ImsError:
    """The error that a job's FAIL is."""
    internal = job.error_code is None or job.error_code in INTERNAL_CODES
    code = job.error_code and _shown(job.error_code)
    reason = " ".join((job.fail_reason or "no reason given").split())[:LONGEST_MESSAGE]
    advice = ADVICE.get(str(job.error_code), _SUPPORT)
    message = f"Job {job.job_id} ended with FAIL: {reason.rstrip('.')}. {advice}"
    return (JobInterruptedError if internal else JobFailedError)(message, None, code)


def is_throttled(response: Response) -> bool:
    """Whether this answer is a refusal for now: 429, or a code that says so (IMG.0060 comes with a 400)."""
    return response.status == 429 or (response.status >= 400 and Refusal.read(response).code in THROTTLING_CODES)


def retry_after(response: Response) -> float | None:
    """Seconds that the answer asks to wait; ``None`` where it does not say, or not in a form of RFC 9110."""
    asked = response.header("Retry-After") or ""
    try:
        seconds = float(asked) if asked.strip().isdecimal() else _seconds_until(asked, response.header("Date"))
    except (ValueError, TypeError, OverflowError, LookupError):
        return None
    return min(max(0.0, seconds), LONGEST_RETRY_AFTER)


def request_id(response: Response) -> str | None:
    """The cloud's id of the request: a header, or a field of the gateway's body."""
    for name in ("X-Request-Id", "X-Openstack-Request-Id"):
        if found := response.header(name):
            return _shown(found)
    try:
        document = document_of(response)
        found = text(document.get("request_id")) if isinstance(document, Mapping) else None
    except (ValueError, RecursionError):
        return None
    return found and _shown(found)


def _shown(value: str) -> str:
    """What a log can hold of it: not too much, and no byte that is no text."""
    return value.encode(errors="replace").decode()[:LONGEST_HEADER]


def _seconds_until(asked: str, told: str | None) -> float:
    """By the cloud's clock, where the answer tells it."""
    now = parsedate_to_datetime(told) if told else datetime.now(UTC)
    return (parsedate_to_datetime(asked) - now).total_seconds()


def _kind(status: int, refusal: Refusal) -> type[ImsError]:
    code = refusal.code
    if status == 429 or code in THROTTLING_CODES:
        return ThrottledError
    if status == 408 or status >= 500 or code in INTERNAL_CODES:
        return UnavailableError
    if refusal.is_protection:
        return RefusedError
    if status == 403 or code in _FORBIDDEN_CODES:
        return ForbiddenError
    if status == 404 or code in _NOT_FOUND_CODES:
        return NotFoundError
    return RefusedError


def _advice(response: Response, refusal: Refusal, permission: str | None) -> str:
    if refusal.is_protection:
        return _PROTECTED
    if advice := refusal.code and ADVICE.get(refusal.code):
        return advice
    kind = _kind(response.status, refusal)
    if kind is ForbiddenError:
        return _PERMISSION.replace("permission", f"permission `{permission}`") if permission else _PERMISSION
    if 300 <= response.status < 400:
        where = response.header("Location") or "another address"
        return f"It redirects to {_shown(where.split('?')[0])}, which is not followed: check the connection's address."
    if response.status == 401:
        return _PROJECT
    return {NotFoundError: _NO_SUCH, ThrottledError: ADVICE["APIGW.0308"]}.get(kind, _SUPPORT)


def _pair(document: Any) -> tuple[str | None, str]:
    """Code and message, wherever in the document they are: at the top, or one object deeper."""
    if not isinstance(document, Mapping):
        return None, document if isinstance(document, str) else ""
    inner = [value for value in document.values() if isinstance(value, Mapping)]
    for level in (document, *inner):
        for code_key, message_key in (("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")):
            if code_key in level or message_key in level:
                return text(level.get(code_key)), text(level.get(message_key)) or text(level.get("title")) or ""
    return None, ""


def _known_form(code: str | None) -> str | None:
    """A code of the cloud's; Keystone's ``401`` only repeats the status. ``APIG.`` is the dedicated ``APIGW.``."""
    if code is None or "." not in code:
        return None
    return code.replace("APIG.", "APIGW.", 1)[:40]


def _plain(body: bytes) -> str:
    markup = body[:20_000].decode(errors="replace")
    markup = re.sub(r"(?is)<(script|style|head)\b.*?(</\1\s*>|$)", " ", markup)
    return " ".join(html.unescape(re.sub(r"<[^<>]*>", " ", markup)).split())[:LONGEST_MESSAGE]
