"""Signed requests as the gateway checks them: both forms of ``SDK-HMAC-SHA256``, the clock, locks, temporary keys.

Written from the manuals of the API gateway and its clients, apart from the client in this package, so that neither can
agree with itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from urllib.parse import quote, unquote

from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.nouns import Account, IssuedToken, StoredKey
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call

_FORM = re.compile(
    r"SDK-HMAC-SHA256 (?P<kind>Access|Credential)=(?P<who>[^,\s]+), ?"
    r"SignedHeaders=(?P<headers>[^,\s]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What an ``Authorization`` header says. ``scope``: in the form with ``Credential``; otherwise blank."""

    access_key: str
    scope: str
    names: tuple[str, ...]
    value: str

    @classmethod
    def read(cls, header: str) -> Signature | None:
        """Take the header apart; None for one in neither form."""
        match = _FORM.fullmatch(header)
        if match is None:
            return None
        access_key, _, scope = match["who"].partition("/")
        if (match["kind"] == "Credential") != bool(scope):
            return None
        return cls(access_key, scope, tuple(match["headers"].split(";")), match["signature"])


def is_signed(call: Call) -> bool:
    """Whether a request is to be judged by its signature, and not by a token."""
    return call.headers.get("authorization", "").startswith("SDK-HMAC-SHA256")


def admit(state: State, call: Call) -> IssuedToken:
    """Who has signed this request, and for which project. Raises Refusal."""
    signature = Signature.read(call.headers["authorization"])
    if signature is None:
        raise _refusal("verify aksk signature fail")
    key = _known_key(state, signature, call)
    _check_lock(state, key)
    try:
        _check_clock(state, call)
        if not compare_digest(expected(signature, key.secret_key, call), signature.value):
            raise _refusal("verify aksk signature fail")
    except errors.Refusal:
        _count_failure(state, key)
        raise
    state.key_failures.pop(key.access_key, None)
    _check_standing(state, key, call)
    return _pass_for(state, key.account, call)


def expected(signature: Signature, secret_key: str, call: Call) -> str:
    """The signature that this request should have."""
    stamp = call.headers.get("x-sdk-date", "")
    missing = [name for name in ("host", "x-sdk-date") if name not in signature.names]
    if missing or any(name not in call.headers for name in signature.names):
        raise _refusal("verify aksk signature fail")
    digest = sha256(_canonical(signature, call).encode()).hexdigest()
    scope = [signature.scope] if signature.scope else []
    key = secret_key.encode()
    if signature.scope:
        key = b"SDK" + key
        for part in signature.scope.split("/"):
            key = hmac_digest(key, part.encode(), "sha256")
    return hmac_digest(key, "\n".join(["SDK-HMAC-SHA256", stamp, *scope, digest]).encode(), "sha256").hex()


def _canonical(signature: Signature, call: Call) -> str:
    path, _, query = call.target.partition("?")
    segments = [_encoded(unquote(segment)) for segment in path.split("/")]
    uri = "/".join(segments)
    pairs = sorted(_pair(part) for part in query.split("&") if part)
    headers = "".join(f"{name}:{call.headers[name].strip()}\n" for name in sorted(signature.names))
    payload = call.headers.get("x-sdk-content-sha256") or sha256(call.body).hexdigest()
    lines = [
        call.method,
        uri if uri.endswith("/") else f"{uri}/",
        "&".join(f"{name}={value}" for name, value in pairs),
        headers,
        ";".join(sorted(signature.names)),
        payload,
    ]
    return "\n".join(lines)


def _pair(part: str) -> tuple[str, str]:
    """Name and value of a query as the gateway writes them; a plus is a plus."""
    name, _, value = part.partition("=")
    return _encoded(unquote(name)), _encoded(unquote(value))


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")


def _known_key(state: State, signature: Signature, call: Call) -> StoredKey:
    token = call.headers.get("x-security-token", "")
    key = state.key(signature.access_key)
    if key is None or state.settings.iam_url or (key.security_token and not token):
        raise _refusal(f"ak {signature.access_key} not exist")
    return key


def _check_lock(state: State, key: StoredKey) -> None:
    now = state.now()
    if now < state.keys_locked_until.get(key.access_key, now):
        state.counters["signatures_locked"] += 1
        raise _refusal("AK access failed to reach the limit,forbidden")


def _count_failure(state: State, key: StoredKey) -> None:
    """More than so many failures one after the other lock the key."""
    state.counters["signatures_refused"] += 1
    failures = state.key_failures.get(key.access_key, 0) + 1
    if failures > state.settings.key_failures:
        state.keys_locked_until[key.access_key] = state.now() + timedelta(seconds=state.settings.key_lock_seconds)
        failures = 0
    state.key_failures[key.access_key] = failures


def _check_clock(state: State, call: Call) -> None:
    stamp, now = call.headers.get("x-sdk-date", ""), state.now()
    try:
        signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _refusal("verify aksk signature fail") from None
    if abs((now - signed_at).total_seconds()) > state.settings.clock_skew:
        times = f"signature time:{stamp},server time:{now:%Y%m%dT%H%M%SZ}"
        raise _refusal(f"calc aksk signature fail:signature expired, {times}")


def _check_standing(state: State, key: StoredKey, call: Call) -> None:
    if not key.enabled:
        raise _standing_refusal(call, "IAM.1107", f"The access key {key.access_key} is inactive.")
    if not compare_digest(key.security_token, call.headers.get("x-security-token", "")):
        raise _refusal("decrypt token fail")
    if key.expires_at and state.now() >= key.expires_at:
        raise _standing_refusal(call, "IAM.1108", "The securityToken has expired.")


def _standing_refusal(call: Call, code: str, message: str) -> errors.Refusal:
    if call.path.startswith("/v3"):
        return errors.Refusal("iam_table", 400, code, message)
    return _refusal(message)


def _pass_for(state: State, account: Account, call: Call) -> IssuedToken:
    """What stands for a token: it is of use for this request alone."""
    wanted, now = call.headers.get("x-project-id"), state.now()
    project = next((each for each in account.projects if each.id == wanted), None)
    return IssuedToken("", account, project, project is None, now, now + timedelta(seconds=1))


def _refusal(detail: str) -> errors.Refusal:
    return errors.gateway("APIGW.0301", detail)
