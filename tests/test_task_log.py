"""The task's log: a line for each thing that happened, in words that a person reads and ``grep`` finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_ims.errors import ForbiddenError
from airflow_provider_ims.hooks.connection import token_store
from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from tests.shells import TaskInstance, fails_with, operator, run_task, waiting

pytestmark = pytest.mark.usefixtures("airflow_home")

JOB, IMAGE = "[0-9a-f]{32}", "[0-9a-f-]{36}"


Lines = Callable[..., Sequence[str]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Lines:
    """What was logged since the last time; it must have one line for each pattern, in this order."""
    caplog.set_level("INFO")

    def lines(*patterns: str) -> Sequence[str]:
        of_task = re.findall(r"^(\S+) \[\w+ *\] (.*) \[airflow\.task\.", capsys.readouterr().out, flags=re.MULTILINE)
        logged = [(datetime.fromisoformat(instant).timestamp(), line) for instant, line in of_task]
        logged += [(record.created, record.getMessage()) for record in caplog.records]
        said = [line for _, line in sorted(logged)]
        found = [[number for number, line in enumerate(said) if re.match(pattern, line)] for pattern in patterns]
        assert [len(each) for each in found] == [1] * len(patterns), "\n".join(said)
        assert sorted(found) == found, "\n".join(said)
        caplog.clear()
        return said

    return lines


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_copy_from_log_in_to_image(ims_simulator: ImsSimulator, lines: Lines, deferrable: bool) -> None:
    ims_simulator.cloud.change(copy_seconds=1.0)
    run_task(waiting(deferrable=deferrable))
    lines(
        "Logged in at http://.* OTC-SIMULATOR/ims-operator eu-de; the token is valid until 20.* UTC$",
        f"Submitted: job {JOB} copies image {IMAGE} to 'golden'$",
        f"Copy key '.*, job {JOB}. It goes on in the cloud",
        *([f"Waiting in the triggerer for job {JOB} until 20.* UTC$"] if deferrable else []),
        f"Job {JOB}: SUCCESS, image {IMAGE} is active, took 0:00:01$",
    )


def test_a_try_after_another_one(ims_simulator: ImsSimulator, lines: Lines) -> None:
    ims_simulator.cloud.change(image_appears="submit")
    run_task(operator())
    lines("Logged in at ", "Submitted: ")
    token_store.cache_clear()  # as in another process
    run_task(operator(), TaskInstance(try_number=2))
    said = lines(
        "Token reused: that of http://.* OTC-SIMULATOR/ims-operator eu-de, .* is valid until 20.* UTC$",
        f"Adopted image {IMAGE} 'golden', which is (queued|saving): not copied again$",
    )
    assert not [line for line in said if line.startswith(("Logged in", "Submitted"))]


def test_a_wait_for_a_free_slot(ims_simulator: ImsSimulator, lines: Lines) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "status", status=429))
    with pytest.raises(AirflowRescheduleException):
        run_task(operator(deferrable=False))
    known = r"\[HTTP 429, APIGW.0308, request id \S+\] Copy key '.*, no job is known"
    lines("Logged in at ", rf"Throttled until \d\d:\d\d:\d\d UTC, then tried again: .*{known}")


def test_a_failure_names_the_request(ims_simulator: ImsSimulator, lines: Lines) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "status", status=403))
    with fails_with(ForbiddenError, match=r"\[HTTP 403, APIGW.0302, request id \S+\]"):
        run_task(operator())
    lines("Logged in at ", "Copy key '.*, no job is known")
