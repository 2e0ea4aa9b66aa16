"""The endpoints of IAM and their documents: tokens, catalog, projects, version discovery."""

from __future__ import annotations

from typing import Any

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.identity import admit_to_iam, log_in, standing
from airflow_provider_ims.simulator.ims import image_versions
from airflow_provider_ims.simulator.nouns import Account, IssuedToken, Project
from airflow_provider_ims.simulator.signatures import admit, is_signed
from airflow_provider_ims.simulator.state import State, fixed_id
from airflow_provider_ims.simulator.wire import Call, fields_of, json_response, micro_stamp

BODY_LIMIT = 32 * 1024


def create_token(state: State, call: Call) -> Response:
    """POST /v3/auth/tokens: a log-in by password or by agency."""
    try:
        token = log_in(state, _auth_of(call), call.headers.get("x-auth-token"))
    except errors.Refusal as refusal:
        if refusal.status in (401, 403):
            state.counters["log_ins_refused"] += 1
        raise
    state.counters["log_ins_accepted"] += 1
    return _token_response(state, call, token, 201)


def _auth_of(call: Call) -> dict[str, Any]:
    if len(call.body) > BODY_LIMIT:
        raise errors.iam("IAM.1101")
    if not call.headers.get("content-type", "").startswith("application/json"):
        raise errors.iam("IAM.0011", "The request body is invalid: Content-Type must be application/json.")
    try:
        auth = fields_of(call.document(), "auth")
    except ValueError:
        raise errors.iam("IAM.0011") from None
    if not fields_of(auth, "identity"):
        raise errors.iam("IAM.0072", "A property is missing in the request body: auth.identity.")
    return auth


def show_token(state: State, call: Call) -> Response:
    """GET and HEAD /v3/auth/tokens: check a token with a token."""
    admit_to_iam(state, call.headers.get("x-auth-token"))
    response = _token_response(state, call, _subject(state, call), 200)
    return response if call.method == "GET" else Response(200, response.headers)


def revoke_token(state: State, call: Call) -> Response:
    """DELETE /v3/auth/tokens."""
    admit_to_iam(state, call.headers.get("x-auth-token"))
    _subject(state, call).revoked = True
    return Response(204)


def _subject(state: State, call: Call) -> IssuedToken:
    how, token = standing(state, call.headers.get("x-subject-token"))
    if how != "good" or token is None:
        raise errors.iam("IAM.0004", "Could not find token.")
    return token


def show_catalog(state: State, call: Call) -> Response:
    """GET /v3/auth/catalog."""
    token = admit_to_iam(state, call.headers.get("x-auth-token"))
    links = {"self": f"{call.base_url}/v3/auth/catalog", "previous": None, "next": None}
    return json_response(200, {"catalog": _catalog(state, call, token), "links": links})


def list_projects(state: State, call: Call) -> Response:
    """GET /v3/auth/projects and GET /v3/projects: what the caller can reach."""
    token = _caller(state, call)
    documents = [_project_row(call, token.account, project) for project in token.account.projects]
    wanted = {key: call.query[key] for key in ("name", "domain_id", "parent_id") if key in call.query}
    found = [row for row in documents if all(row[key] == value for key, value in wanted.items())]
    links = {"self": f"{call.base_url}{call.path}", "previous": None, "next": None}
    return json_response(200, {"links": links, "projects": _page(found, call)})


def show_project(state: State, call: Call) -> Response:
    """GET /v3/projects/{project_id}."""
    account = _caller(state, call).account
    for project in account.projects:
        if project.id == call.params["project_id"]:
            return json_response(200, {"project": _project_row(call, account, project)})
    raise errors.iam("IAM.0004", "Could not find project.")


def _caller(state: State, call: Call) -> IssuedToken:
    return admit(state, call) if is_signed(call) else admit_to_iam(state, call.headers.get("x-auth-token"))


def _page(rows: list[dict[str, Any]], call: Call) -> list[dict[str, Any]]:
    page, size = call.query.get("page"), call.query.get("per_page")
    if page is None and size is None:
        return rows
    if page is None or size is None or not (page.isdecimal() and size.isdecimal() and 1 <= int(size) <= 5000):
        raise errors.iam("IAM.0073", "The input parameters are wrong: page and per_page come together.")
    start = (max(int(page), 1) - 1) * int(size)
    return rows[start : start + int(size)]


def list_versions(_state: State, call: Call) -> Response:
    """GET /: which identity API there is, and which image API, for both are at this address."""
    return json_response(300, {"versions": {"values": [_version(call), *image_versions(call)]}})


def show_version(_state: State, call: Call) -> Response:
    """GET /v3."""
    return json_response(200, {"version": _version(call)})


def _version(call: Call) -> dict[str, Any]:
    media = [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]
    links = [{"rel": "self", "href": f"{call.base_url}/v3/"}]
    return {"id": "v3.6", "status": "stable", "updated": "2016-04-04T00:00:00Z", "links": links, "media-types": media}


def _token_response(state: State, call: Call, token: IssuedToken, status: int) -> Response:
    document = _token_document(token)
    if not call.query.get("nocatalog"):
        document["catalog"] = _catalog(state, call, token)
    return json_response(status, {"token": document}, {"X-Subject-Token": token.value})


def _token_document(token: IssuedToken) -> dict[str, Any]:
    account = token.account
    domain = {"id": account.domain_id, "name": account.domain_name}
    user = {"id": account.user_id, "name": account.user_name, "domain": domain, "password_expires_at": None}
    document: dict[str, Any] = {
        "methods": ["assume_role" if token.assumed_by else "password"],
        "issued_at": micro_stamp(token.issued_at),
        "expires_at": micro_stamp(token.expires_at),
        "user": user,
        "roles": [{"id": "0", "name": role} for role in account.roles],
    }
    if token.assumed_by:
        by = token.assumed_by
        whose = {"id": by.domain_id, "name": by.domain_name}
        document["assumed_by"] = {"user": {"id": by.user_id, "name": by.user_name, "domain": whose}}
    if token.project is not None:
        document["project"] = {"id": token.project.id, "name": token.project.name, "domain": domain}
    elif token.domain_scope:
        document["domain"] = domain
    return document


def _catalog(state: State, call: Call, token: IssuedToken) -> list[dict[str, Any]]:
    services = [_service("identity", "iam", {"*": f"{call.base_url}/v3"})]
    if token.project is not None:
        urls = {state.settings.region: state.settings.ims_url or call.base_url}
        urls |= {region: f"https://ims.{region}.invalid" for region in state.settings.catalog_regions}
        services.append(_service("image", "glance", urls))
    return services


def _service(kind: str, name: str, urls: dict[str, str]) -> dict[str, Any]:
    endpoints = [
        {"id": fixed_id(kind, region), "interface": "public", "region": region, "region_id": region, "url": url}
        for region, url in urls.items()
    ]
    return {"id": fixed_id(kind), "type": kind, "name": name, "endpoints": endpoints}


def _project_row(call: Call, account: Account, project: Project) -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "domain_id": account.domain_id,
        "parent_id": account.domain_id,
        "enabled": True,
        "is_domain": False,
        "description": "",
        "links": {"self": f"{call.base_url}/v3/projects/{project.id}"},
    }
