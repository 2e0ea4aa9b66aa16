"""``ImsHook`` and ``ImsAsyncHook``: the only places of the package that open a connection to the cloud.

They read the Airflow connection, and map the errors of their HTTP libraries to ours. What is said to the cloud, and
when it is said again, is written once for both, in the modules below. Each is loaded when it is asked for, for its
library costs a task's process more than the rest of the package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_ims.hooks.asynchronous import ImsAsyncHook
    from airflow_provider_ims.hooks.synchronous import ImsHook

__all__ = ["ImsAsyncHook", "ImsHook"]


def __getattr__(name: str) -> Any:
    if name == "ImsHook":
        from airflow_provider_ims.hooks.synchronous import ImsHook

        return ImsHook
    if name == "ImsAsyncHook":
        from airflow_provider_ims.hooks.asynchronous import ImsAsyncHook

        return ImsAsyncHook
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
