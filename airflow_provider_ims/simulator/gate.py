"""The gateway before the services: tokens, rates and permissions, in this order. It never looks into a body."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from airflow_provider_ims.models import Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.identity import admit_to_ims
from airflow_provider_ims.simulator.nouns import IssuedToken
from airflow_provider_ims.simulator.routes import Route
from airflow_provider_ims.simulator.signatures import admit, is_signed
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call

BODY_LIMIT = 12 * 1024**2


def pass_on(state: State, route: Route | None, call: Call) -> Response:
    """Let a request in and have it answered. Raises Refusal."""
    if route is None:
        raise errors.gateway("APIGW.0101")
    if len(call.body) > BODY_LIMIT:
        raise errors.Refusal("gateway", 413, "APIGW.0201", "Bad request: the request body is too large.")
    if route.service == "iam":
        _limit_iam(state)
        return route.answer(state, call)
    token = _admit(state, call)
    _limit_ims(state, token.account.user_id)
    _permit(state, route)
    return route.answer(state, replace(call, token=token))


def _admit(state: State, call: Call) -> IssuedToken:
    if not is_signed(call):
        return admit_to_ims(state, call.headers.get("x-auth-token"))
    token = admit(state, call)
    if token.project is None or not token.project.is_in(state.settings.region):
        raise errors.gateway("APIGW.0310")
    return token


def _over_limit(state: State, key: str, limit: int) -> bool:
    """Count a visit, unless it is one too many in the window."""
    if not limit:
        return False
    since = state.now() - timedelta(seconds=state.settings.rate_window)
    visits = [at for at in state.visits.get(key, []) if at > since]
    over = len(visits) >= limit
    state.visits[key] = visits if over else [*visits, state.now()]
    return over


def _retry_after(state: State) -> dict[str, str]:
    return {"Retry-After": str(state.settings.retry_after)} if state.settings.retry_after else {}


def _limit_iam(state: State) -> None:
    limit, window = state.settings.iam_rate_limit, state.settings.rate_window
    if _over_limit(state, "iam", limit):
        message = f"The throttling threshold has been reached: threshold {limit} times per {window:g} seconds"
        raise errors.Refusal("iam_table", 429, "IAM.0012", message, _retry_after(state))


def _limit_ims(state: State, user_id: str) -> None:
    limit, window = state.settings.ims_rate_limit, state.settings.rate_window
    if _over_limit(state, user_id, limit):
        detail = f"policy user over ratelimit,limit:{limit},time:{window:g} second"
        raise errors.gateway("APIGW.0308", detail, _retry_after(state))


def _permit(state: State, route: Route) -> None:
    if not route.action or route.action not in state.settings.missing_permissions:
        return
    match state.settings.permission_body:
        case "APIGW.0302":
            raise errors.gateway("APIGW.0302")
        case "policy":
            message = f"Policy doesn't allow {route.action} to be performed."
            raise errors.Refusal("policy", 403, "403", message)
        case code:
            raise errors.ims(code)
