"""How an ``ImsError`` ends a task: what is permanent fails it without its retries, the rest is retried.

On Airflow 3.3 that is a default ``retry_policy``, which a task's own argument overrides; below, what is permanent is
raised as ``AirflowFailException``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import airflow.sdk

from airflow_provider_ims.errors import ImsError, ImsPermanentError

HAS_RETRY_POLICIES = hasattr(airflow.sdk, "ExceptionRetryPolicy")  # since Airflow 3.3
REASON = "trying again cannot help"


def set_retry_policy(operator: Any, *also: type[BaseException]) -> None:
    """Give an operator our policy, unless it has one; ``also`` are permanent for it as well."""
    if HAS_RETRY_POLICIES and operator.retry_policy is None:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

        rule = RetryRule([ImsPermanentError, *also], RetryAction.FAIL, reason=REASON)
        operator.retry_policy = ExceptionRetryPolicy(rules=[rule])


def for_airflow(error: ImsError) -> Exception:
    """What to raise so that Airflow does what this error asks for."""
    if not HAS_RETRY_POLICIES and isinstance(error, ImsPermanentError):
        from airflow.sdk.exceptions import AirflowFailException

        return AirflowFailException(str(error))
    return error


@contextmanager
def failures() -> Iterator[None]:
    """Within, an ``ImsError`` ends the task as Airflow should take it."""
    try:
        yield
    except ImsError as error:
        if (failure := for_airflow(error)) is error:
            raise
        raise failure from error
