"""The Airflow connection that fits a simulated cloud."""

from __future__ import annotations

from typing import Any

from airflow_provider_ims.simulator.settings import Settings


def connection_to(url: str, settings: Settings, auth: str = "password", token: str = "") -> dict[str, Any]:
    """The connection as Airflow reads it from JSON. It carries the simulated secrets.

    :param auth: which way to log in: ``password``, ``aksk``, ``token`` or ``agency``.
    :param token: the one for ``token``; such as ``Cloud.issue_token`` gives.
    """
    extra = {"iam_endpoint": f"{url}/v3", "region": settings.region}
    connection = {
        "conn_type": "ims",
        "login": settings.user_name,
        "password": settings.password,
        "host": url,
        "port": 0,
    }
    match auth:
        case "password":
            extra |= {"domain_name": settings.domain_name}
        case "aksk":
            connection |= {"login": settings.access_key, "password": settings.secret_key}
        case "token":
            connection |= {"login": "", "password": token}
        case "agency":
            connection["login"] = settings.agency_user_name
            agency = {"agency_domain_name": settings.domain_name, "agency_name": settings.agency_name}
            extra |= {"domain_name": settings.agency_user_domain_name, **agency}
        case _:
            raise ValueError(f"no such way to log in: {auth}")
    return connection | {"extra": extra | ({"auth": auth} if auth != "password" else {})}
