"""What a connection says: credentials, addresses, certificates, proxies. Read and checked before any request.

Takes the fields of a connection as plain values, from whichever form it was written in (JSON, URI, UI), so that blank
is absent and ``"false"`` is false. Opens no socket.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_provider_ims.errors import SettingsError
from airflow_provider_ims.models import Credentials, Service, Token

OTC_REGIONS = ("eu-de", "eu-nl", "eu-ch2")
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
)
"""What ``extra`` may hold."""

DEFAULT_TIMEOUT = 30.0

TOKEN_CACHES = ("file", "variable", "none")
"""Where tokens may be kept: in files, in Airflow's Variables as well, or in the process's memory alone."""

CONSOLE_FIELDS = ("region", "project_id", "image_id")
"""What ``console_url`` may name, in braces."""


@dataclass(frozen=True, slots=True)
class Settings:
    """A connection, understood. ``timeout``: seconds to connect, and to wait for each part of an answer.

    ``verify``: True (the environment's CA bundle, else the usual authorities), False, or the path of a CA bundle.
    ``console_url``: the address of an image in the console, with ``{region}``, ``{project_id}`` and ``{image_id}``.
    ``cache``: where tokens are kept, one of ``TOKEN_CACHES``. ``cache_dir``: a directory for them that all hosts share.
    """

    credentials: Credentials
    region: str | None = None
    ims_url: str | None = None
    verify: bool | str = True
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
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
        return _Fields(conn_id, extra or {}).settings(login, password, _address(host, schema, port))

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


def console_root(region: str | None) -> str:
    """Where the console of the clouds begins; the address of an image in it is not documented."""
    if region is None or region in OTC_REGIONS:
        return f"https://console.{'sc.' if region == 'eu-ch2' else ''}otc.t-systems.com/"
    if region.startswith("cn-"):
        return "https://console.huaweicloud.com/"
    return f"https://console{'.eu' if region.startswith('eu-') else '-intl'}.huaweicloud.com/"


def endpoint(service: str, region: str) -> str:
    """The address of ``iam`` or ``ims`` by the clouds' pattern. Source: the page on regions and endpoints."""
    if region == "eu-ch2":
        return f"https://{'iam-pub' if service == 'iam' else service}.eu-ch2.sc.otc.t-systems.com"
    domain = "otc.t-systems.com" if region in OTC_REGIONS else "myhuaweicloud.com"
    return f"https://{service}.{region}.{domain}"


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
        if not (region or (iam_url and (project_name or project_id))):
            raise self.missing("region", "one such as eu-de (or iam_endpoint together with project_name or project_id)")
        account = "the account's name, such as OTC-EU-DE-00000000001"
        who = Credentials(
            iam_url=re.sub(r"/+v3$", "", iam_url or endpoint("iam", region or "")),
            domain_name=self.required("domain_name", self.word("domain_name"), account),
            user_name=self.required("login", (login or "").strip(), "the IAM user's name"),
            password=self.required("password", password, "the IAM user's password"),
            project_name=project_name,
            project_id=project_id,
        )
        host = self.url("host", host)
        return Settings(
            who, region, host, self.verify(), self.proxies(), self.timeout(), self.console_url(), *self.token_cache()
        )

    def required(self, name: str, value: str | None, what: str) -> str:
        if not value:
            raise self.missing(name, what)
        return value

    def word(self, key: str) -> str | None:
        value = self.extra.get(key)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, value, "give text")
        return (value or "").strip() or None

    def url(self, key: str, value: str | None) -> str | None:
        if value is None:
            return None
        is_web = value.lower().startswith(("http://", "https://"))
        if not is_web or not _is_address(value) or re.search(r"[\s@?#]", value):
            service = "ims" if key == "host" else "iam"
            raise self.wrong(key, _without_user(value), f"give an address such as {endpoint(service, 'eu-de')}")
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
        found = {str(key).lower(): _proxy_url(url) for key, url in value.items()}
        if not all(url.startswith(("http://", "https://")) for url in found.values()):
            raise self.wrong("proxies", "not an HTTP proxy", f"SOCKS is not supported; {remedy}")
        if not all(_is_address(url) for url in found.values()):
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
        is_web = value.lower().startswith(("https://", "http://")) and _is_address(value)
        if value and (not is_web or "@" in urlsplit(value).netloc or re.search(r"[\s{}]", fixed)):
            example = "https://console.example.com/ims/?region={region}#/image/{image_id}"
            remedy = f"give an address such as {example}, with {{{'}, {'.join(CONSOLE_FIELDS)}}} where they belong"
            raise self.wrong("console_url", _without_user(value), remedy)
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


def _address(host: str | None, schema: str | None, port: int | None) -> str | None:
    if not (host or "").strip():
        return None
    address = host.strip() if host else ""
    if "://" not in address:
        address = f"{schema or 'https'}://{address}"
    before_path, slashes, rest = address.partition("://")
    netloc, slash, path = rest.partition("/")
    return f"{before_path}{slashes}{netloc}:{port}{slash}{path}" if port else address


def _is_address(url: str) -> bool:
    """Whether a URL has a host and a port that can be read, and a user only in front of them."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in url.partition(parts.netloc)[2]
    except ValueError:
        return False


def _proxy_url(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _without_user(url: str) -> str:
    return re.sub(r"^(.*?//)?.*@", r"\1***@", url, flags=re.DOTALL)


def _json(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return None
