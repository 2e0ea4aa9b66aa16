"""The grammar of IAM: one function for each way to come by a token, or by the project that signed requests go to.

As ``protocol``: a request and the way to read its answer. Sources: the OTC API reference of IAM (token management,
project management), which ``tests/samples`` quotes, and the error pages of the API gateway.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_provider_ims.addresses import is_header
from airflow_provider_ims.credentials import AccessKey, Agency, Credentials, GivenToken, PasswordCredentials
from airflow_provider_ims.errors import ForbiddenError, ImsError, LoginRefusedError, NotFoundError, RefusedError
from airflow_provider_ims.models import Request, Response, Token, instant
from airflow_provider_ims.protocol import Call, document, post, reader

PROJECT_LASTS = timedelta(days=1)
"""For so long the id of a project is kept that was found by its name."""

LONGEST_LIFE = timedelta(days=3650)
"""A token that is said to live for longer, or not at all, is none."""

_KEY_CODES = frozenset(f"IAM.110{digit}" for digit in "23456789")
"""What IAM says to an access key, with status 400: blacklisted, expired, inactive, its security token expired, ..."""

_KEY_ADVICE = {
    "signature expired": "This machine's clock is more than 15 minutes away from the cloud's: set it (NTP).",
    "reach the limit": "The cloud locks an access key for five minutes after more than five failures: wait, then try "
    "again with the right secret key.",
    "signature fail": "Check the connection's password: it is not the secret key of login, the access key.",
    "inactive": "Enable the access key in IAM, or give another one.",
    "securitytoken": "Temporary keys have ended: put new ones into login, password and `security_token`.",
    "security token": "Temporary keys have ended: put new ones into login, password and `security_token`.",
    "not exist": "Check the connection's login, the access key; temporary keys need `security_token` too.",
}
"""What to do about an access key that is refused, by a part of what the cloud says."""


def log_in(who: PasswordCredentials) -> Call[Token]:
    """POST /v3/auth/tokens: a token for one project, or for the account, by password."""
    user = {"name": who.user_name, "password": who.password, "domain": {"name": who.domain_name}}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"domain": {"name": who.domain_name}} if who.whole_domain else _project(who)
    request = _ask_for_token(who, identity, scope, replays=0)  # each may count as a wrong password
    action, fields = f"log in at {who.iam_url} as {who.user}", "login, password, domain_name"
    fields += "" if who.whole_domain else " and project_name / project_id"
    parse = _domain_token if who.whole_domain else _token
    return Call(request, _reader(parse, action, who.password, f"Check the connection's {fields}."))


def assume_agency(who: Agency) -> Call[Token]:
    """POST /v3/auth/tokens: a token for one project of another account, by an agency and the token of its user."""
    agency = {"domain_name": who.domain_name, "agency_name": who.agency_name}
    request = _ask_for_token(who, {"methods": ["assume_role"], "assume_role": agency}, _project(who), replays=9)
    advice = (
        "Check the connection's agency_domain_name, agency_name and project_name / project_id (of that account), that "
        f"the agency trusts {who.assumed_by.domain_name}, and that the user has the permission Agent Operator."
    )
    action = f"assume agency {who.domain_name}/{who.agency_name} at {who.iam_url} as {who.assumed_by.user}"
    return Call(request, _reader(_token, action, "", advice, (401, 403, 404)))


def check_token(who: GivenToken) -> Call[Token]:
    """GET /v3/auth/tokens: what a given token is for, and until when."""
    headers = {"X-Auth-Token": who.token, "X-Subject-Token": who.token}
    request = Request("GET", f"{who.iam_url}/v3/auth/tokens", headers)
    action = f"use the given token at {who.iam_url}"
    advice = "It has ended, was revoked, or is of another cloud: put a new one into the connection's password."

    def parse(answer: Response) -> Token:
        project = document(answer)["token"].get("project")
        if not project:
            raise LoginRefusedError(f"Could not {action}: it is for no project. Give one that is scoped to a project.")
        for name, wanted in (("id", who.project_id), ("name", who.project_name)):
            if wanted and project.get(name) != wanted:
                remedy = f"give a token of that project, or leave project_{name} out"
                found = f"it is for project {name} {project.get(name)}, and the connection names {wanted}"
                raise LoginRefusedError(f"Could not {action}: {found}: {remedy}.")
        return _token(answer.with_header("X-Subject-Token", who.token))

    return Call(request, _reader(parse, action, who.token, advice, (401, 403, 404)))


def find_project(who: AccessKey) -> Call[Token]:
    """GET /v3/projects: the id of the project of that name; to be signed, and never sent twice by itself.

    GET /v3/projects/{project_id} where the id is given: whoever may not look at it has a good key all the same.
    """
    named = f"/{quote(who.project_id, safe='')}" if who.project_id else f"?name={quote(who.project, safe='')}"
    request = Request("GET", f"{who.iam_url}/v3/projects{named}", replays=0)
    action = f"find project {who.project} at {who.iam_url} with {who.user}"

    def parse(answer: Response) -> Token:
        if who.project_id:
            return project_token(who.project_id)
        found = [str(row["id"]) for row in document(answer)["projects"] if row["name"] == who.project_name]
        if len(found) != 1:
            what = f"there are several ({', '.join(found)})" if found else "there is none that the key can reach"
            raise RefusedError(f"Could not {action}: {what}. Mend project_name, or give project_id in the connection.")
        if not is_header(found[0]):
            raise ValueError("the project's id can be no header")
        return project_token(found[0])

    read = reader(parse, action, "iam:projects:listProjects")

    def read_or_refuse(answer: Response) -> Token:
        try:
            return read(answer.without(who.sent))
        except (ForbiddenError, NotFoundError) as error:
            if not who.project_id:
                raise error.but(type(error), f"{error.message} Or give project_id in the connection.") from None
            return project_token(who.project_id)
        except RefusedError as error:
            raise (key_refused(error) or error) from None

    return Call(request, read_or_refuse)


def project_token(project_id: str) -> Token:
    """What stands for a token where requests are signed: the project alone."""
    found_at = datetime.min.replace(tzinfo=UTC)
    return Token("", found_at, found_at + PROJECT_LASTS, project_id)


def key_refused(error: ImsError) -> LoginRefusedError | None:
    """The error for an access key that the gateway or IAM refuses; None where this is another error."""
    if error.status != 401 and error.code not in _KEY_CODES:
        return None
    words = error.message.lower()
    advice = next((advice for part, advice in _KEY_ADVICE.items() if part in words), "Check login and password.")
    return LoginRefusedError(f"{_said(error)} {advice}", error.status, error.code, error.request_id, error.retry_after)


def _said(error: ImsError) -> str:
    """What was refused, and why, without the remedy: here it is another one."""
    return re.split(" Check the | Grant the user | If it lasts, ", error.message)[0]


def _project(who: Credentials) -> dict[str, Any]:
    named = {"name": who.project_name, "domain": {"name": who.account}}  # Keystone refuses a name without a domain
    return {"project": {"id": who.project_id} if who.project_id else named}


def _ask_for_token(who: Credentials, identity: Mapping[str, Any], scope: Mapping[str, Any], replays: int) -> Request:
    return post(f"{who.iam_url}/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}, replays=replays)


def _reader(
    parse: Callable[[Response], Token],
    action: str,
    secret: str,
    advice: str,
    refusing: tuple[int, ...] = (401, 403),
) -> Callable[[Response], Token]:
    """Read a token; an answer with one of the statuses ``refusing`` is a ``LoginRefusedError`` with this advice."""
    read = reader(parse, action)

    def read_token(answer: Response) -> Token:
        try:
            return read(answer if answer.status == 201 else answer.without(secret))
        except RefusedError as error:
            refused = error.status in refusing
            remedy = advice if refused else "Check the connection's iam_endpoint."
            raise error.but(LoginRefusedError if refused else RefusedError, f"{_said(error)} {remedy}") from None

    return read_token


def _token(answer: Response) -> Token:
    return _read_token(answer, str(document(answer)["token"]["project"]["id"]))


def _domain_token(answer: Response) -> Token:
    return _read_token(answer, "")


def _read_token(answer: Response, project_id: str) -> Token:
    described = document(answer)["token"]
    value = answer.header("X-Subject-Token")
    issued_at, expires_at = instant(described.get("issued_at")), instant(described["expires_at"])
    if not value or not issued_at or not expires_at:
        raise ValueError("no X-Subject-Token, issued_at or expires_at")
    if not is_header(value):
        raise ValueError("X-Subject-Token can be no header")
    if not timedelta(0) < expires_at - issued_at < LONGEST_LIFE:
        raise ValueError("expires_at is not after issued_at, or for ever")
    return Token(value, issued_at, expires_at, project_id, _image_endpoints(described.get("catalog") or ()))


def _image_endpoints(catalog: Any) -> dict[str, str]:
    """The public addresses of IMS by region: service type ``image``, http(s) URLs without a version path."""
    return {
        str(endpoint.get("region") or endpoint.get("region_id")): str(endpoint["url"]).rstrip("/")
        for service in catalog
        if service.get("type") == "image"
        for endpoint in service.get("endpoints", ())
        if endpoint.get("interface") == "public" and _is_address(str(endpoint["url"]))
    }


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_web and url.isascii() and url.isprintable() and " " not in url
