"""What a connection says: credentials, addresses, certificates, proxies. Read and checked before any request.

Takes the fields of a connection as plain values, from whichever form it was written in (JSON, URI, UI), so that blank
is absent and ``"false"`` is false. Opens no socket.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypedDict
from urllib.parse import quote, urlsplit

from msgspec import field
from msgspec.structs import replace

from airflow_provider_ims.addresses import (
    address,
    console_root,
    endpoint,
    is_address,
    is_header,
    proxy_url,
    without_user,
)
from airflow_provider_ims.credentials import AccessKey, Agency, Credentials, GivenToken, PasswordCredentials
from airflow_provider_ims.errors import SettingsError
from airflow_provider_ims.models import Service, Token
from airflow_provider_ims.values import Value

KNOWN_KEYS = (
    "region",
    "domain_name",
    "project_name",
    "project_id",
    "iam_endpoint",
    "verify",
    "proxies",
    "timeout",
    "console_url",
    "token_cache",
    "token_cache_dir",
    "auth",
    "security_token",
    "agency_domain_name",
    "agency_name",
)
"""What ``extra`` may hold."""

WAYS: Mapping[str, tuple[str, ...]] = {
    "password": (),
    "aksk": ("security_token",),
    "token": (),
    "agency": ("agency_domain_name", "agency_name"),
}
"""The values of ``auth``, and those keys that are of use with them alone."""

DEFAULT_TIMEOUT = 30.0

TOKEN_CACHES = ("file", "variable", "none")
"""Where tokens may be kept: in files, in Airflow's Variables as well, or in the process's memory alone."""

CONSOLE_FIELDS = ("region", "project_id", "image_id")
"""What ``console_url`` may name, in braces."""


class Settings(Value, frozen=True):
    """A connection, understood. ``timeout``: seconds to connect, and to wait for each part of an answer.

    ``verify``: True (the environment's CA bundle, else the usual authorities), False, or the path of a CA bundle.
    ``console_url``: the address of an image in the console, with ``{region}``, ``{project_id}`` and ``{image_id}``.
    ``cache``: where tokens are kept, one of ``TOKEN_CACHES``. ``cache_dir``: a directory for them that all hosts share.
    """

    unprinted: ClassVar[frozenset[str]] = frozenset({"proxies"})

    credentials: Credentials
    region: str | None = None
    ims_url: str | None = None
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT
    console_url: str = ""
    cache: str = "file"
    cache_dir: str | None = None

    @classmethod
    def of(
        cls,
        conn_id: str,
        *,
        login: str | None = None,
        password: str | None = None,
        host: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Understand the fields of an Airflow connection; raises ``SettingsError`` that names the field to mend."""
        if not isinstance(extra or {}, Mapping):
            raise SettingsError(
                f"Connection '{conn_id}': extra is no JSON object; give one such as {{\"region\": ...}}."
            )
        return _Fields(conn_id, extra or {}).settings(login, password, address(host, schema, port))

    def service(self, token: Token) -> Service:
        """Where this token's project finds IMS: the connection's host, else the catalog, else the region's pattern."""
        offered = token.endpoints
        only = next(iter(offered.values())) if len(offered) == 1 and not self.region else None
        url = self.ims_url or offered.get(self.region or "") or offered.get("*") or only
        if url is None and self.region is None:
            regions = ", ".join(sorted(offered)) or "none"
            raise SettingsError(f"The connection has no host and no region, and the catalog offers IMS in: {regions}.")
        return Service(url or endpoint("ims", self.region or ""), token.project_id)

    def console(self, project_id: str = "", image_id: str | None = None) -> str:
        """The console's page of an image, by ``console_url``; without one the page of IMS, as far as that tells it."""
        page = self.console_url or console_root(self.region)
        if image_id is None:
            page = re.split(r"#|[^/]*\{image_id\}", page)[0]
        known = {"region": self.region or "", "project_id": project_id, "image_id": image_id or ""}
        return re.sub(r"\{(\w+)\}", lambda field: quote(known[field[1]], safe="{}"), page)


_ACCOUNT = "the name (such as OTC-EU-DE-00000000001) of the account"


class _Where(TypedDict):
    iam_url: str
    project_name: str | None
    project_id: str | None


class _Fields:
    """The extra of one connection, read field by field."""

    def __init__(self, conn_id: str, extra: Mapping[str, Any]) -> None:
        self.conn_id = conn_id
        blank = {key for key, value in extra.items() if value is None or (isinstance(value, str) and not value.strip())}
        self.extra = {key: value for key, value in extra.items() if key not in blank}

    def settings(self, login: str | None, password: str | None, host: str | None) -> Settings:
        region = self.word("region")
        if region and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", region):
            raise self.wrong("region", region, "give a region's id such as eu-de")
        iam_url = self.url("iam_endpoint", self.word("iam_endpoint"))
        project_name, project_id = self.word("project_name") or region, self.word("project_id")
        auth = self.auth()
        if not (region or (iam_url and (project_name or project_id or auth == "token"))):
            raise self.missing("region", "one such as eu-de (or iam_endpoint together with project_name or project_id)")
        if auth == "aksk" and not (region or host):
            raise self.missing("region", "one such as eu-de, or the host of IMS: access keys come without a catalog")
        iam_url = re.sub(r"/+v3$", "", iam_url or endpoint("iam", region or ""))
        where: _Where = {"iam_url": iam_url, "project_name": project_name, "project_id": project_id}
        who = self.credentials(auth, (login or "").strip(), password or "", where)
        host = self.url("host", host)
        return Settings(
            who, region, host, self.verify(), self.proxies(), self.timeout(), self.console_url(), *self.token_cache()
        )

    def auth(self) -> str:
        auth = (self.word("auth") or "password").lower()
        if auth not in WAYS:
            raise self.wrong("auth", auth, f"give one of {', '.join(WAYS)}")
        for way, keys in WAYS.items():
            for key in keys:
                if way != auth and key in self.extra:
                    remedy = f"give auth = {way}, or leave {key} out"
                    raise SettingsError(f"Connection '{self.conn_id}' has {key}, but auth is {auth!r}: {remedy}.")
        return auth

    def credentials(self, auth: str, login: str, password: str, where: _Where) -> Credentials:
        if auth == "token":
            if login:
                remedy = "leave it blank: with auth = token the token is the password"
                raise self.wrong("login", "set", remedy)  # perhaps to that token
            where["project_name"] = self.word("project_name")
            return GivenToken(token=self.header("password", password, "the token"), **where)
        if auth == "aksk":
            key = self.header("login", login, "the access key (AK)")
            secret = self.required("password", password.strip(), "the secret key (SK)")
            token = self.word("security_token") and self.header(
                "security_token", self.word("security_token"), "it whole"
            )
            return AccessKey(access_key=key, secret_key=secret, security_token=token, **where)
        user = PasswordCredentials(
            domain_name=self.required("domain_name", self.word("domain_name"), f"{_ACCOUNT} of the user"),
            user_name=self.required("login", login, "the IAM user's name"),
            password=self.required("password", password, "the IAM user's password"),
            **where,
        )
        if auth == "password":
            return user
        account = f"{_ACCOUNT} whose agency it is"
        return Agency(
            assumed_by=replace(user.login, whole_domain=True),
            domain_name=self.required("agency_domain_name", self.word("agency_domain_name"), account),
            agency_name=self.required("agency_name", self.word("agency_name"), "the agency's name"),
            **where,
        )

    def required(self, name: str, value: str | None, what: str) -> str:
        if not value:
            raise self.missing(name, what)
        return value

    def header(self, name: str, value: str | None, what: str) -> str:
        """A text that is sent as a header; what it holds is not shown."""
        text = self.required(name, (value or "").strip(), what)
        if not is_header(text):
            remedy = f"give {what} as it was issued"
            raise SettingsError(f"Connection '{self.conn_id}': {name} has characters that no header has; {remedy}.")
        return text

    def word(self, key: str) -> str | None:
        value = self.extra.get(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, "set to something else" if key == "security_token" else value, "give text")
        return (value or "").strip() or None

    def url(self, key: str, value: str | None) -> str | None:
        if value is None:
            return None
        is_web = value.lower().startswith(("http://", "https://"))
        if not is_web or not is_address(value) or re.search(r"[\s@?#]", value):
            service = "ims" if key == "host" else "iam"
            raise self.wrong(key, without_user(value), f"give an address such as {endpoint(service, 'eu-de')}")
        return value.rstrip("/")

    def verify(self) -> bool | str:
        value = self.extra.get("verify", True)
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        if isinstance(value, str) and not os.path.exists(value):
            raise self.wrong("verify", value, "there is no such file here; give true, false, or a CA bundle's path")
        if not isinstance(value, bool | str):
            raise self.wrong("verify", value, "give true, false, or a CA bundle's path")
        return value

    def proxies(self) -> dict[str, str]:
        value = self.extra.get("proxies", {})
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = _json(value)
        if isinstance(value, str):
            value = {"http": value, "https": value}
        remedy = 'give a proxy\'s URL, or an object such as {"https": "http://proxy.example:3128"}'
        if not isinstance(value, Mapping) or not all(isinstance(url, str) and url for url in value.values()):
            raise self.wrong("proxies", "set to something else", remedy)
        found = {str(key).lower(): proxy_url(url) for key, url in value.items()}
        if not all(url.startswith(("http://", "https://")) for url in found.values()):
            raise self.wrong("proxies", "not an HTTP proxy", f"SOCKS is not supported; {remedy}")
        if not all(is_address(url) for url in found.values()):
            raise self.wrong("proxies", "not a URL", f"percent-encode user and password; {remedy}")
        return found

    def timeout(self) -> float:
        value = self.extra.get("timeout", DEFAULT_TIMEOUT)
        try:
            seconds = float(value)
        except (TypeError, ValueError, OverflowError):
            seconds = 0.0
        if isinstance(value, bool) or not 0 < seconds <= 3600:
            raise self.wrong("timeout", value, "give seconds, more than 0 and at most 3600")
        return seconds

    def console_url(self) -> str:
        value = self.word("console_url") or ""
        fixed = re.sub(rf"\{{({'|'.join(CONSOLE_FIELDS)})\}}", "", value)
        is_web = value.lower().startswith(("https://", "http://")) and is_address(value)
        if value and (not is_web or "@" in urlsplit(value).netloc or re.search(r"[\s{}]", fixed)):
            example = "https://console.example.com/ims/?region={region}#/image/{image_id}"
            remedy = f"give an address such as {example}, with {{{'}, {'.join(CONSOLE_FIELDS)}}} where they belong"
            raise self.wrong("console_url", without_user(value), remedy)
        return value

    def token_cache(self) -> tuple[str, str | None]:
        cache, directory = (self.word("token_cache") or TOKEN_CACHES[0]).lower(), self.word("token_cache_dir")
        if cache not in TOKEN_CACHES:
            raise self.wrong("token_cache", cache, f"give one of {', '.join(TOKEN_CACHES)}")
        if directory and cache != "file":
            raise self.wrong(
                "token_cache_dir", directory, f"remove it, or token_cache, which is {cache} and needs none"
            )
        if directory and not os.path.isabs(directory):
            raise self.wrong("token_cache_dir", directory, "give an absolute path that is the same on every host")
        return cache, directory

    def missing(self, name: str, what: str) -> SettingsError:
        strange = sorted(set(self.extra) - set(KNOWN_KEYS)) if name in KNOWN_KEYS else ()
        place = " in its extra" if name in KNOWN_KEYS else ""
        hint = f" (It has {', '.join(strange)}, which this provider does not know.)" if strange else ""
        return SettingsError(f"Connection '{self.conn_id}' has no {name}{place}: give {what}.{hint}")

    def wrong(self, key: str, value: object, remedy: str) -> SettingsError:
        return SettingsError(f"Connection '{self.conn_id}': {key} is {value!r:.200}; {remedy}.")


def _json(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None
