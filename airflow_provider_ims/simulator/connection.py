"""The Airflow connection that fits a simulated cloud."""

from __future__ import annotations

from typing import Any

from airflow_provider_ims.simulator.settings import Settings


def connection_to(url: str, settings: Settings) -> dict[str, Any]:
    """The connection as Airflow reads it from JSON. It carries the simulated password."""
    extra = {"iam_endpoint": f"{url}/v3", "region": settings.region, "domain_name": settings.domain_name}
    return {
        "conn_type": "ims",
        "login": settings.user_name,
        "password": settings.password,
        "host": url,
        "extra": extra,
    }
