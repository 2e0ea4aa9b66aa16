"""``JobTrigger``: what the database keeps of it, what its event says, and that it leaves nothing open."""

from __future__ import annotations

import asyncio
import gc
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from airflow.triggers.base import TriggerEvent

from airflow_provider_ims.errors import (
    ConnectionLookUpError,
    ImsError,
    JobFailedError,
    JobTimeoutError,
    LoginRefusedError,
)
from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.triggers import SOONEST_RETURN, JobTrigger
from tests.shells import run_trigger

pytestmark = pytest.mark.usefixtures("airflow_home")


def copying(seconds: float, simulator: ImsSimulator) -> str:
    simulator.cloud.change(copy_seconds=seconds)
    with ImsHook() as hook:
        return hook.copy_image(PLAIN_IMAGE, name="golden")


def event_of(job_id: str, **arguments: Any) -> Any:
    """The event of a trigger that looks at once, unless told otherwise."""
    given: dict[str, Any] = {"poll_interval": 0.1, "first_pause": 0.0} | arguments
    return run_trigger(*JobTrigger(job_id, **given).serialize())


def test_it_is_stored_as_plain_values_and_comes_back_the_same() -> None:
    trigger = JobTrigger("edc89b490d7d4392898e19b2deb34797")
    path, kwargs = trigger.serialize()
    assert path == "airflow_provider_ims.triggers.JobTrigger"  # stored with every deferred task: never moves
    assert JobTrigger(**kwargs).serialize() == (path, kwargs)
    assert (kwargs["ims_conn_id"], kwargs["poll_interval"], kwargs["xcoms"]) == ("ims_default", 30.0, None)
    assert (kwargs["first_pause"], kwargs["version"]) == (None, 1)
    two_hours = datetime.fromisoformat(kwargs["deadline"]) - datetime.now(UTC)
    assert timedelta(seconds=7190) < two_hours <= timedelta(seconds=7200)


def test_its_event_names_job_and_image(ims_simulator: ImsSimulator) -> None:
    job_id = copying(0.3, ims_simulator)
    event = event_of(job_id)
    image = ims_simulator.cloud.state.images[event["image_id"]]
    facts = {
        "source_image_id": PLAIN_IMAGE,
        "cmk_id": None,
        "size": image.size,
        "duration": pytest.approx(0.3, abs=0.01),
    }
    assert (
        event
        == {"version": 1, "job_id": job_id, "status": "success", "image_id": image.id, "image_name": "golden"} | facts
    )


def test_it_looks_no_sooner_than_told(ims_simulator: ImsSimulator) -> None:
    job_id = copying(0.0, ims_simulator)
    first_look = datetime.now(UTC) + timedelta(seconds=0.5)
    event_of(job_id, first_pause=0.5)
    looks = [arrival.instant for arrival in ims_simulator.cloud.arrivals if arrival.route == "job"]
    assert min(looks) >= first_look - timedelta(milliseconds=20)


class Recording(ImsAsyncHook):
    """A hook that is told to sleep, and does not."""

    slept: ClassVar[list[float]] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class Hasty(JobTrigger):
    def get_hook(self) -> ImsAsyncHook:
        return Recording(self.ims_conn_id)


def test_what_it_was_told_to_wait_for_ends_with_its_deadline(ims_simulator: ImsSimulator) -> None:
    """A triggerer that starts again waits anew."""
    deadline = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    waiting = Hasty(copying(0.0, ims_simulator), deadline=deadline, first_pause=3600.0)

    async def fire() -> TriggerEvent:
        return await anext(aiter(waiting.run()))

    event = asyncio.run(fire())
    assert (event.payload["status"], Recording.slept[0]) == ("success", SOONEST_RETURN)


def test_even_a_trigger_that_fails_at_once_comes_back_no_sooner() -> None:
    first_look = datetime.now(UTC) + timedelta(seconds=0.3)
    event = event_of("0" * 32, ims_conn_id="nowhere", first_pause=0.3)
    assert (event["error"], datetime.now(UTC) >= first_look) == (ConnectionLookUpError.__name__, True)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"fail_code": "IMG.0099"}, JobFailedError), ({"copy_seconds": 3600.0}, JobTimeoutError)],
)
def test_its_event_carries_the_error_whole(
    ims_simulator: ImsSimulator, settings: dict[str, Any], kind: type[ImsError]
) -> None:
    ims_simulator.cloud.change(**settings)
    job_id = copying(settings.get("copy_seconds", 0.0), ims_simulator)
    deadline = datetime.now(UTC) + timedelta(seconds=0.5)
    event = event_of(job_id, deadline=deadline.isoformat())
    error = ImsError.from_event(event)
    assert (event["status"], event["job_id"], type(error)) == ("error", job_id, kind)
    assert job_id in str(error)
    assert error.code == settings.get("fail_code")


def test_a_token_revoked_in_mid_wait_costs_one_renewal(ims_simulator: ImsSimulator) -> None:
    job_id = copying(0.6, ims_simulator)
    ims_simulator.cloud.faults.add(Fault("job", "status", status=401))
    assert event_of(job_id)["status"] == "success"
    assert ims_simulator.cloud.counters["POST log_in"] == 2


def test_a_password_changed_in_mid_wait_is_said_once(ims_simulator: ImsSimulator) -> None:
    job_id = copying(3600.0, ims_simulator)
    before = ims_simulator.cloud.counters["POST log_in"]
    ims_simulator.cloud.faults.add(Fault("job", "status", status=401, times=None))
    ims_simulator.cloud.faults.add(Fault("log_in", "status", status=401, message="The account is locked.", times=None))
    event = event_of(job_id)
    assert event["error"] == LoginRefusedError.__name__
    assert "The account is locked." in event["args"][0]
    assert ims_simulator.cloud.counters["POST log_in"] == before + 1


def test_a_connection_that_is_gone_is_an_event_too() -> None:
    event = event_of("edc89b490d7d4392898e19b2deb34797", ims_conn_id="nowhere")
    assert event["error"] == ConnectionLookUpError.__name__


def test_cancelling_it_leaves_nothing_open_and_writes_nothing(ims_simulator: ImsSimulator) -> None:
    job_id = copying(3600.0, ims_simulator)

    async def cancelled() -> None:
        waiting = asyncio.ensure_future(anext(aiter(JobTrigger(job_id, poll_interval=0.05, first_pause=0.0).run())))
        await asyncio.sleep(0.3)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(cancelled())
        gc.collect()
    written = [arrival.route for arrival in ims_simulator.cloud.arrivals if arrival.method != "GET"]
    assert written == ["log_in", "copy"]
