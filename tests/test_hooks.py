"""``ImsHook`` and ``ImsAsyncHook``: what they offer a task, and that their libraries' errors become ours alike."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from airflow_provider_ims.errors import (
    ArgumentError,
    ConnectError,
    LoginRefusedError,
    NotFoundError,
    ResponseLostError,
    SettingsError,
    UnavailableError,
    UnclearSubmitError,
)
from airflow_provider_ims.hooks import ImsAsyncHook, ImsHook
from airflow_provider_ims.models import JobStatus
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import KEY, PLAIN_IMAGE
from tests.shells import GET_IMAGE, Ask, ask_in_thread, ask_on_loop, connect

pytestmark = pytest.mark.usefixtures("airflow_home")
BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop])


def test_a_copy_from_the_hook_to_its_deletion(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0)
    with ImsHook() as hook:
        job = hook.get_job(hook.copy_image(PLAIN_IMAGE, name="golden", description="dated", cmk_id=KEY))
        assert job.status is JobStatus.SUCCESS
        image = hook.get_image(job.image_id or "")
        assert (image.name, image.description, image.cmk_id) == ("golden", "dated", KEY)
        hook.delete_image(image.id)
        assert list(hook.list_images(name="golden")) == []
        with pytest.raises(NotFoundError):
            hook.get_image(image.id)


def test_lists_are_read_to_the_last_page(ims_simulator: ImsSimulator) -> None:
    with ImsHook() as hook:
        whole = [image.id for image in hook.list_images(__imagetype="private")]
        paged = [image.id for image in hook.list_images(__imagetype="private", limit=4)]
    assert len(whole) == len(set(whole)) > 8
    assert sorted(paged) == sorted(whole)


def test_lists_are_fetched_as_they_are_needed(ims_simulator: ImsSimulator) -> None:
    with ImsHook() as hook:
        next(hook.list_images(limit=4))
    assert ims_simulator.cloud.counters["GET list"] == 1


def test_the_async_hook_gives_the_same_values(ims_simulator: ImsSimulator) -> None:
    with ImsHook() as hook:
        job_id = hook.copy_image(PLAIN_IMAGE, name="golden")
        there = hook.get_image(PLAIN_IMAGE), hook.get_job(job_id).job_id

    async def look() -> Any:
        async with ImsAsyncHook() as hook:
            return await hook.get_image(PLAIN_IMAGE), (await hook.get_job(job_id)).job_id

    assert asyncio.run(look()) == there


def test_all_that_start_together_log_in_once(ims_simulator: ImsSimulator) -> None:
    async def look() -> None:
        async with ImsAsyncHook() as hook:
            await hook.get_image(PLAIN_IMAGE)

    async def together() -> None:
        await asyncio.gather(*(look() for _ in range(20)))

    asyncio.run(together())
    ask_in_thread(GET_IMAGE)
    assert ims_simulator.cloud.counters["POST log_in"] == 1
    assert ims_simulator.cloud.counters["GET image"] == 21


def test_one_connection_serves_all_requests_of_a_task(ims_simulator: ImsSimulator) -> None:
    with ImsHook() as hook:
        hook.get_image(PLAIN_IMAGE)
        hook.get_job(hook.copy_image(PLAIN_IMAGE, name="golden"))
    assert ims_simulator.cloud.counters["connections"] == 1


def test_the_connection_test_says_what_to_mend(ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = json.dumps(ims_simulator.connection | {"password": "not-this-one"})
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", wrong)
    works, said = ImsHook().test_connection()
    assert not works
    assert "The username or password is wrong." in said
    assert "login, password, domain_name" in said
    assert "not-this-one" not in said


def test_calls_without_a_method_go_through_run(ims_simulator: ImsSimulator) -> None:
    hook = ImsHook()
    assert hook.run("/v1/cloudimages/quota").json()["quotas"]["resources"][0]["type"] == "image"


def test_what_run_is_refused_is_our_error_without_the_token(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    token = ims_simulator.cloud.issue_token()
    connect(monkeypatch, connection_to(ims_simulator.connection["host"], ims_simulator.cloud.settings, "token", token))
    ims_simulator.cloud.faults.add(Fault("quota", "status", message=f"no: {token}"))
    with pytest.raises(UnavailableError, match=r"^Could not GET /v1/cloudimages/quota: the cloud said: no: \*\*\*\."):
        ImsHook().run("/v1/cloudimages/quota")
    assert token not in str(capsys.readouterr())  # where Airflow's hooks log


def test_run_sends_the_token_however_the_host_is_written(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ims_simulator.connection["host"].replace("http://127.0.0.1", "HTTP://LocalHost")
    connect(monkeypatch, ims_simulator.connection | {"host": host})
    assert ImsHook().run("/v1/cloudimages/quota").ok


FORMS = {
    "json": '{{"conn_type": "ims", "login": "{user}", "password": "{password}", "host": "http://127.0.0.1",'
    ' "port": {port}, "extra": {{"region": "eu-de", "domain_name": "{domain}",'
    ' "iam_endpoint": "http://127.0.0.1:{port}/v3/"}}}}',
    "json with extra as text": '{{"conn_type": "ims", "login": "{user}", "password": "{password}", "host": "",'
    ' "extra": "{{\\"region\\": \\"eu-de\\", \\"domain_name\\": \\"{domain}\\",'
    ' \\"iam_endpoint\\": \\"http://127.0.0.1:{port}\\"}}"}}',
    "uri": "ims://{user}:{password}@127.0.0.1:{port}/http?region=eu-de&domain_name={domain}&timeout=5&verify=false"
    "&iam_endpoint=http%3A%2F%2F127.0.0.1%3A{port}",
    "uri with a scheme": "ims://http://{user}:{password}@127.0.0.1:{port}/?region=eu-de&domain_name={domain}"
    "&iam_endpoint=http%3A%2F%2F127.0.0.1%3A{port}%2Fv3",
}


@BOTH
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_the_connection_works(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], form: str
) -> None:
    cloud, port = ims_simulator.cloud.settings, ims_simulator.url.rpartition(":")[2]
    written = form.format(user=cloud.user_name, password=cloud.password, domain=cloud.domain_name, port=port)
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", written)
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


@BOTH
def test_without_a_host_the_catalog_tells_where_ims_is(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(ims_simulator.connection | {"host": None}))
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


@BOTH
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("image", "reset_before", times=None), ResponseLostError),
        (Fault("image", "reset_after", times=None), ResponseLostError),
        (Fault("image", "truncated", times=None), ResponseLostError),
        (Fault("image", "hang", times=None), ResponseLostError),
        (Fault("image", "status", status=503, times=None), UnavailableError),
        (Fault("log_in", "reset_after", times=None), ResponseLostError),
    ],
)
def test_what_breaks_on_the_way_is_the_same_error_in_both(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], fault: Fault, kind: type[Exception]
) -> None:
    connect(monkeypatch, ims_simulator.connection, timeout=0.3)
    ims_simulator.cloud.faults.add(fault)
    with pytest.raises(kind):
        ask(GET_IMAGE)


@BOTH
def test_a_token_with_a_large_catalog_is_taken(ims_simulator: ImsSimulator, ask: Ask[Any]) -> None:
    ims_simulator.cloud.change(token_length=12_000)
    assert ask(GET_IMAGE).id == PLAIN_IMAGE


@BOTH
def test_an_error_takes_no_request_along(ims_simulator: ImsSimulator, ask: Ask[Any]) -> None:
    ims_simulator.cloud.faults.add(Fault("log_in", "reset_after", times=None))
    with pytest.raises(ResponseLostError) as lost:
        ask(GET_IMAGE)
    assert lost.value.__context__ is None
    assert lost.value.__cause__ is None


@BOTH
def test_a_refused_connection_was_not_sent(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        host = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(ims_simulator.connection | {"host": host}))
        with pytest.raises(ConnectError, match=f"No connection to {host}"):
            ask(GET_IMAGE)


@BOTH
def test_what_fails_for_a_moment_is_repeated_while_patience_lasts(ims_simulator: ImsSimulator, ask: Any) -> None:
    ims_simulator.cloud.faults.add(Fault("image", "status", status=502), Fault("log_in", "reset_before"))
    assert ask(GET_IMAGE, patience=30.0).id == PLAIN_IMAGE


def test_a_copy_whose_answer_is_lost_is_not_sent_again(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.faults.add(Fault("copy", "reset_after"))
    with ImsHook() as hook, pytest.raises(UnclearSubmitError):
        hook.copy_image(PLAIN_IMAGE, name="golden")
    assert ims_simulator.cloud.counters["copies_accepted"] == 1


def test_a_wrong_password_is_sent_once_by_all(ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = json.dumps(ims_simulator.connection | {"password": "not-this-one"})
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", wrong)
    for ask in (ask_in_thread, ask_on_loop, ask_in_thread):
        with pytest.raises(LoginRefusedError, match="The username or password is wrong"):
            ask(GET_IMAGE)
    assert ims_simulator.cloud.counters["POST log_in"] == 1


@BOTH
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"login": ""}, "has no login"),
        ({"password": None}, "has no password"),
        ({"host": "ftp://x"}, "host is 'ftp://x'"),
        ({"extra": {"region": "eu-de", "domain": "D"}}, "no domain_name.*It has domain"),
        ({"extra": {"domain_name": "D"}}, "no region"),
    ],
)
def test_what_is_wrong_with_a_connection_is_said_before_any_request(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch, ask: Ask[Any], change: dict[str, Any], complaint: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(ims_simulator.connection | change))
    with pytest.raises(SettingsError, match=f"'ims_default'.*{complaint}"):
        ask(GET_IMAGE)
    assert not ims_simulator.cloud.arrivals


def test_arguments_are_checked_before_any_request(ims_simulator: ImsSimulator) -> None:
    with ImsHook() as hook:
        for call in (hook.get_image, hook.delete_image, lambda image: hook.copy_image(image, name="golden")):
            with pytest.raises(ArgumentError, match=r"image_id is '\.\./x'"):
                call("../x")
        with pytest.raises(ArgumentError, match="job_id is 'a/b'"):
            hook.get_job("a/b")
    assert not ims_simulator.cloud.arrivals
