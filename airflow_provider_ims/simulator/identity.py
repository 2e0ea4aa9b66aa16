"""Who may come in: finds accounts, counts wrong passwords, locks, issues tokens and judges them. Knows no routes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.nouns import Account, IssuedToken, Project
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import fields_of

Standing = Literal["missing", "unknown", "expired", "revoked", "good"]


def log_in(state: State, auth: dict[str, Any], token: str | None = None) -> IssuedToken:
    """Check a log-in by password, or by agency with a user's ``token``, and issue its token. Raises Refusal."""
    methods = fields_of(auth, "identity").get("methods")
    if methods == ["assume_role"]:
        return _assume(state, auth, admit_to_iam(state, token))
    user = fields_of(auth, "identity", "password", "user")
    if methods != ["password"]:
        raise errors.iam("IAM.0073", "Only the methods password and assume_role are simulated.")
    if not isinstance(user.get("password"), str) or not (user.get("id") or (user.get("name") and user.get("domain"))):
        raise errors.iam("IAM.0072", "A property is missing in the request body: user name and domain, and password.")
    account = _find_account(state, user)
    _check_password(state, account, user["password"])
    if account is None or not account.enabled:
        raise errors.iam("IAM.0080")
    scope = fields_of(auth, "scope")
    project = _scoped_project(state, account, fields_of(scope, "project")) if "project" in scope else None
    domain = fields_of(scope, "domain")
    if project is None and "domain" in scope and not account.is_in_domain(domain):
        raise errors.iam("IAM.0001", state.settings.wrong_password_message)
    return issue(state, account, project, "domain" in scope and project is None)


def _assume(state: State, auth: dict[str, Any], user: IssuedToken) -> IssuedToken:
    wanted, agency = fields_of(auth, "identity", "assume_role"), state.agency
    name = wanted.get("agency_name") or wanted.get("xrole_name")
    domain = {key: wanted[f"domain_{key}"] for key in ("name", "id") if f"domain_{key}" in wanted}
    if not name or not domain:
        raise errors.iam("IAM.0072", "A property is missing in the request body: agency name and domain.")
    if name != state.settings.agency_name or not agency.is_in_domain(domain):
        raise errors.iam("IAM.0004", f"Could not find agency: {name}.")
    if "te_agency" not in user.account.roles or user.assumed_by:
        raise errors.iam("IAM.0003")
    scope = fields_of(auth, "scope")
    project = _scoped_project(state, agency, fields_of(scope, "project")) if "project" in scope else None
    token = issue(state, agency, project, project is None)
    token.assumed_by = user.account
    return token


def _find_account(state: State, user: dict[str, Any]) -> Account | None:
    for account in state.accounts:
        by_name = user.get("name") == account.user_name and account.is_in_domain(fields_of(user, "domain"))
        if user.get("id") == account.user_id or ("id" not in user and by_name):
            return account
    return None


def _check_password(state: State, account: Account | None, password: str) -> None:
    """Refuse a wrong password, an unknown user and a locked one, and keep count."""
    wrong = errors.iam("IAM.0062", state.settings.wrong_password_message)
    if account is None:
        raise wrong
    now = state.now()
    if now < state.locked_until.get(account.user_id, now):
        state.counters["log_ins_locked"] += 1
        raise errors.iam("IAM.0061")
    if password == account.password:
        state.wrong_passwords.pop(account.user_id, None)
        return
    since = now - timedelta(seconds=state.settings.lockout_window)
    recent = [at for at in state.wrong_passwords.get(account.user_id, []) if at > since] + [now]
    if len(recent) >= state.settings.lockout_attempts:
        state.locked_until[account.user_id] = now + timedelta(seconds=state.settings.lockout_seconds)
        recent = []
    state.wrong_passwords[account.user_id] = recent
    raise wrong


def _scoped_project(state: State, account: Account, wanted: dict[str, Any]) -> Project:
    if not wanted.get("id") and not wanted.get("name"):
        raise errors.iam("IAM.0072", "A property is missing in the request body: project id or name.")
    for project in account.projects:
        named = project.name == wanted.get("name") and account.is_in_domain(fields_of(wanted, "domain"))
        if project.id == wanted.get("id") or ("id" not in wanted and named):
            return project
    code = {"401": "IAM.0001", "403": "IAM.0003", "404": "IAM.0004"}[state.settings.unknown_project]
    raise errors.iam(code)


def issue(state: State, account: Account, project: Project | None, domain_scope: bool) -> IssuedToken:
    """Issue a token, from now until its lifetime ends."""
    now = state.now()
    ends = now + timedelta(seconds=state.settings.token_lifetime)
    token = IssuedToken(state.fresh_token(), account, project, domain_scope, now, ends)
    state.tokens[token.value] = token
    state.counters["tokens_issued"] += 1
    return token


def take_token(state: State, value: str, document: dict[str, Any] | None) -> None:
    """Believe what another IAM says of a token: its document, or None where it does not hold (any more)."""
    if document is None:
        if value in state.tokens:
            state.tokens[value].revoked = True
        return
    user, scope = fields_of(document, "user"), fields_of(document, "project")
    domain = fields_of(user, "domain")
    project = Project(str(scope["id"]), str(scope["name"])) if scope else None
    roles = tuple(str(role["name"]) for role in document.get("roles", ()))
    projects = (project,) if project else ()
    account = Account(str(user["id"]), str(user["name"]), "", str(domain["id"]), str(domain["name"]), projects, roles)
    issued, ends = (datetime.fromisoformat(str(document[key])) for key in ("issued_at", "expires_at"))
    state.tokens[value] = IssuedToken(value, account, project, "domain" in document, issued, ends)


def standing(state: State, value: str | None) -> tuple[Standing, IssuedToken | None]:
    """How a token stands, and the token if the cloud knows it."""
    if not value:
        return "missing", None
    token = state.tokens.get(value)
    if token is None:
        return "unknown", None
    return _standing_of(token, state.now()), token


def _standing_of(token: IssuedToken, now: datetime) -> Standing:
    if token.revoked:
        return "revoked"
    return "good" if now < token.expires_at else "expired"


def admit_to_iam(state: State, value: str | None) -> IssuedToken:
    """The token of a caller of IAM. Raises Refusal."""
    how, token = standing(state, value)
    if how == "good" and token is not None:
        return token
    raise errors.iam({"missing": "IAM.0001", "expired": "IAM.0066"}.get(how, "IAM.0067"))


def admit_to_ims(state: State, value: str | None) -> IssuedToken:
    """The token of a caller of IMS, which must be scoped to a project of this region. Raises Refusal."""
    how, token = standing(state, value)
    match how, token:
        case "missing", _:
            raise errors.gateway("APIGW.0301", "x-auth-token not found")
        case "expired", IssuedToken(expires_at=ended):
            raise errors.gateway("APIGW.0301", f"token expires, expires_at:{ended:%Y-%m-%dT%H:%M:%S.%fZ}")
        case "revoked", _:
            raise errors.gateway("APIGW.0307")
        case "good", IssuedToken(project=None):
            raise errors.gateway("APIGW.0310")
        case "good", IssuedToken(project=Project() as project) if not project.is_in(state.settings.region):
            raise errors.gateway("APIGW.0307")
        case "good", IssuedToken() as admitted:
            return admitted
    raise errors.gateway("APIGW.0301", "decrypt token fail")
