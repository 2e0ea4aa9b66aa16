"""Copies with a real Keystone as IAM, and what happens there while a task waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.errors import LoginRefusedError
from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.others.conftest import Account, Ims, User, ims_of
from tests.others.openstack import Keystone
from tests.others.table import Seen
from tests.shells import fails_with, operator, run_task, waiting

Wait = Callable[[], str]
"""Copy the image and wait for the copy; returns the new image's id."""

LIFETIME = 5


def operator_deferred() -> str:
    return str(run_task(waiting()).xcom["image_id"])


def operator_in_worker() -> str:
    return str(run_task(waiting(deferrable=False)).xcom["image_id"])


def sensor_deferred() -> str:
    return _after_sensor(deferrable=True)


def sensor_in_worker() -> str:
    return _after_sensor(deferrable=False, mode="poke")


def _after_sensor(**how: Any) -> str:
    job_id = run_task(operator()).returned
    return str(run_task(JobSensor(task_id="wait_for_copy", job_id=job_id, poke_interval=0.1, **how)).returned)


WAYS = [operator_deferred, operator_in_worker, sensor_deferred, sensor_in_worker]
EVERY_WAY = pytest.mark.parametrize("wait", WAYS, ids=[way.__name__ for way in WAYS])


def is_last(wait: Wait) -> bool:
    """Whether this is the way that writes down what all have in common."""
    return wait is WAYS[-1]


@EVERY_WAY
def test_a_copy_from_log_in_to_deletion(wait: Wait, user: User, ims: Ims, seen: Seen) -> None:
    image_id = wait()
    assert [(copy["id"], copy["status"]) for copy in ims.cloud.copies()] == [(image_id, "active")]
    with ImsHook() as hook:
        assert hook.get_image(image_id).source_id == PLAIN_IMAGE
        hook.delete_image(image_id)
    assert ims.cloud.copies() == []
    assert user.log_ins == 1
    if is_last(wait):
        seen.tell(
            "keystone", "a copy from log-in to deletion", f"{user.log_ins} log-in, one image, on each way of waiting"
        )


@EVERY_WAY
def test_a_token_revoked_in_mid_wait(wait: Wait, keystone: Keystone, user: User, ims: Ims, seen: Seen) -> None:
    ims.when_first_looked_at(keystone.revoke)
    image_id = wait()
    assert [copy["id"] for copy in ims.cloud.copies()] == [image_id]
    refused = [arrival.route for arrival in ims.cloud.arrivals if arrival.status == 401]
    assert refused == ["job"]
    assert user.log_ins == 2
    if is_last(wait):
        came = f"{len(refused)} look is refused, {user.log_ins - 1} new log-in, and the wait goes on, on each way"
        seen.tell("keystone", "a token revoked in mid-wait", came)


@EVERY_WAY
def test_a_user_disabled_in_mid_wait(wait: Wait, user: User, ims: Ims, seen: Seen) -> None:
    ims.cloud.change(copy_seconds=3600.0)
    ims.when_first_looked_at(lambda token: user.disable())
    with fails_with(
        LoginRefusedError, match=r"log in at .*requires authentication.*Check the connection's login"
    ) as end:
        wait()
    assert user.password not in str(end.value)
    assert user.log_ins == 2
    assert len(ims.cloud.jobs) == 1
    if is_last(wait):
        came = f"`LoginRefusedError` with Keystone's words and what to check, after {user.log_ins - 1} try to log in"
        seen.tell("keystone", "a user disabled in mid-wait", f"{came}, on each way")


@pytest.fixture(scope="session")
def short_lived(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    """The same users; tokens that live for seconds."""
    with Keystone(tmp_path_factory.mktemp("short"), lifetime=LIFETIME, like=keystone) as other:
        yield other


@pytest.mark.parametrize("wait", [operator_deferred, operator_in_worker])
def test_tokens_that_live_for_seconds(
    wait: Wait, short_lived: Keystone, user: User, account: Account, seen: Seen, airflow_home: Path
) -> None:
    user.connect(iam_endpoint=f"{short_lived.url}/v3")
    ours = "POST /v3/auth/tokens airflow-provider-ims/"
    before, started = short_lived.asked(ours), time.monotonic()
    with ims_of(account, copy_seconds=2.5 * LIFETIME) as ims:
        assert wait() == ims.cloud.copies()[0]["id"]
        looks = ims.cloud.counters["GET job"]
    took, log_ins = time.monotonic() - started, short_lived.asked(ours) - before
    used = LIFETIME / 2 - 1  # Keystone rounds to seconds
    assert 3 <= log_ins <= took / used + 1
    assert looks > 3 * log_ins
    if wait is operator_in_worker:
        came = "the copy outlives several tokens: one log-in for each, no look fails the task"
        seen.tell("keystone", f"tokens that live for {LIFETIME} s", came)
