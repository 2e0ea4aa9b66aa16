"""The connection's test: which half works, what was found there, and which field to mend."""

from __future__ import annotations

import json
import re

import pytest

from airflow_provider_ims.hooks import ImsHook
from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

pytestmark = pytest.mark.usefixtures("airflow_home")


def test_the_connection_test_says_who_where_and_what(ims_simulator: ImsSimulator) -> None:
    works, said = ImsHook().test_connection()
    assert works
    for part in (
        ims_simulator.url,
        "OTC-SIMULATOR/ims-operator",
        ims_simulator.cloud.settings.project_id,
        "27 private images, 27 of 50 in the quota used",
    ):
        assert part in said


def test_the_connection_test_asks_iam_each_time(ims_simulator: ImsSimulator) -> None:
    assert ImsHook().check().works
    assert ims_simulator.cloud.counters["POST log_in"] == 1
    assert ImsHook().check().works
    assert ims_simulator.cloud.counters["POST log_in"] == 2


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_quota_that_cannot_be_seen_fails_no_test(ims_simulator: ImsSimulator, status: int) -> None:
    ims_simulator.cloud.faults.add(Fault("quota", "status", status=status))
    works, said = ImsHook().test_connection()
    assert works
    assert re.search(rf"shows 27 private images; their quota cannot be seen: .*\[HTTP {status}, .*request id", said)


def test_a_connection_test_waits_for_no_answer_as_long_as_a_task_does(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Watched(ImsHook):
        def send(self, request: Request) -> Response:
            waited.append(self.client.settings.timeout)
            return super().send(request)

    with Watched(patience=7.0) as hook:
        assert hook.check().works
        hook.get_image(PLAIN_IMAGE)
        assert hook.patience == 7.0
    assert waited == [10.0, 10.0, 10.0, 30.0]


def test_the_connection_test_tells_which_half_fails(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.faults.add(Fault("list", "status", status=503))
    check = ImsHook().check()
    assert (check.works, check.project_id) == (False, ims_simulator.cloud.settings.project_id)
    works = rf"Log-in at IAM {ims_simulator.url} works, as OTC-SIMULATOR/ims-operator, project \S+, until 20\S+ \S+ UTC"
    fails = (
        rf"; but IMS at {ims_simulator.url} failed: .*\[HTTP 503, APIGW.0613, request id \S+\] .*: host .*and region"
    )
    assert re.match(works + fails, str(check))


def test_the_connection_test_tells_which_field_leads_to_no_iam(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = ims_simulator.connection["extra"] | {"iam_endpoint": "http://127.0.0.1:1"}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(ims_simulator.connection | {"extra": extra}))
    works, said = ImsHook().test_connection()
    assert not works
    assert re.match(r"Log-in at IAM http://127.0.0.1:1 as \S+ failed: No connection to .*iam_endpoint", said)
