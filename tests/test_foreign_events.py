"""Events that come to the wrong task: SQLite uses the ids of triggers again."""

from __future__ import annotations

import pytest

from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.model.task import Task
from tests.model.worker import SkewedWorld


@pytest.mark.parametrize("has_store", [True, False])
def test_a_foreign_event_does_not_make_a_second_image_where_the_list_lags(has_store: bool) -> None:
    world = SkewedWorld(image_appears="submit", list_lag=60.0)
    task = Task(world, "a_run", has_store, wait_for_completion=True, deferrable=True)
    task.start()
    task.go()
    task.resume({"status": "success", "job_id": "0" * 32, "image_id": PLAIN_IMAGE, "copy_key": "of another clearing"})
    task.go()
    assert task.state in ("deferred", "success")
    assert world.counted("POST copy") == 1
