"""``ImsHook`` and ``ImsAsyncHook``: the only places of the package that open a connection to the cloud.

They read the Airflow connection, and map the errors of their HTTP libraries to ours. What is said to the cloud, and
when it is said again, is written once for both, in the modules below.
"""

from airflow_provider_ims.hooks.asynchronous import ImsAsyncHook
from airflow_provider_ims.hooks.synchronous import ImsHook

__all__ = ["ImsAsyncHook", "ImsHook"]
