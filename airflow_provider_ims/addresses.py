"""Addresses: those of the clouds by their patterns, and what can be said of one that a user has written.

Text in, text out: no socket.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OTC_REGIONS = ("eu-de", "eu-nl", "eu-ch2")


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


def address(host: str | None, schema: str | None, port: int | None) -> str | None:
    """The address that a connection's host, schema and port make; None without a host."""
    address = (host or "").strip()
    if not address:
        return None
    if "://" not in address:
        address = f"{schema or 'https'}://{address}"
    before_path, slashes, rest = address.partition("://")
    netloc, slash, path = rest.partition("/")
    return f"{before_path}{slashes}{netloc}:{port}{slash}{path}" if port else address


def is_address(url: str) -> bool:
    """Whether a URL has a host and a port that can be read, and a user only in front of them."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0 and "@" not in url.partition(parts.netloc)[2]
    except ValueError:
        return False


def proxy_url(url: str) -> str:
    """A proxy's URL, ``http`` where it does not say otherwise."""
    return url if "://" in url else f"http://{url}"


def without_user(url: str) -> str:
    """A URL to be shown: without a user and password in it."""
    return re.sub(r"^(.*?//)?.*@", r"\1***@", url, flags=re.DOTALL)


def is_header(value: str) -> bool:
    """Whether a text can be sent as a header: printable ASCII."""
    return value.isascii() and value.isprintable()
