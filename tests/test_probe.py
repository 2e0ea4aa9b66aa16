"""``airflow ims probe``: what it asks, what it leaves when something breaks, and what its report does not tell."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.errors import (
    ArgumentError,
    JobTimeoutError,
    LostSubmitError,
    RefusedError,
)
from airflow_provider_ims.models import Request
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, ISO_IMAGE, PLAIN_IMAGE
from tests.probing import OnWorld, Terminal, copies, noted, probe
from tests.world import World

pytestmark = pytest.mark.usefixtures("airflow_home")

ALL = ("--duplicate-name", "--concurrency")


def test_the_whole_chain_leaves_nothing_but_a_report(world: World, airflow_home: Path) -> None:
    before = [image["id"] for image in world.cloud.images()]
    probed = probe(OnWorld(world), airflow_home, *ALL)
    assert probed.status == 0
    assert [image["id"] for image in world.cloud.images()] == before
    assert noted(airflow_home) == []
    assert world.counted("copies_accepted") == 7
    assert probed.row("copy_seconds") == {
        "question": "copy_seconds",
        "verdict": "found",
        "seen": "20 s for 2.0 GiB",
        "setting": 20.0,
    }
    assert probed.row("job_type")["verdict"] == "confirmed"
    assert probed.row("ims_host") | {"setting": None} == probed.row("ims_host")
    assert "`python" not in probed.report
    assert probed.on_interrupt == "Nothing is left."


def test_what_is_otherwise_is_said(airflow_home: Path) -> None:
    world = World(token_lifetime=3600.0, status_words="lower", success_entities="null", quota=77)
    probed = probe(OnWorld(world), airflow_home)
    assert [row["question"] for row in probed.rows if row["verdict"] == "otherwise"] == [
        *("token_lifetime", "ims_host", "quota", "status_words", "success_entities")
    ]
    table = probed.report.split("## Other than documented")[1].split("\n## ")[0]
    assert '| `status_words` | upper case | init, running, success | `"lower"` |' in table


def test_it_asks_and_makes_nothing_without_a_yes(world: World, airflow_home: Path) -> None:
    probed = probe(OnWorld(world), airflow_home, *ALL, terminal=Terminal())
    assert (probed.status, probed.report, copies(world)) == (1, "", [])
    (question,) = probed.terminal.asked
    assert f"copies image {PLAIN_IMAGE} 'golden-source-ubuntu-24.04' (2.0 GiB) to 'ims-probe-" in question
    assert "27 of 50 in the quota are used. Go on?" in question
    assert world.counted("POST copy") == 0


def test_six_at_once_are_asked_for_apart(world: World, airflow_home: Path) -> None:
    probed = probe(OnWorld(world), airflow_home, *ALL, terminal=Terminal("Go on?"))
    assert probed.status == 0
    assert "six" not in probed.report
    assert "6 copies" in probed.terminal.asked[1]
    assert world.counted("copies_accepted") == 2
    assert probed.row("beyond_limit")["verdict"] == "not probed"


def test_without_a_terminal_it_wants_a_yes_before_it_sends_anything(world: World, airflow_home: Path) -> None:
    nobody = Terminal("Go on?")
    nobody.can_ask = False
    probed = probe(OnWorld(world), airflow_home, terminal=nobody)
    assert isinstance(probed.error, ArgumentError)
    assert "give --yes" in str(probed.error)
    assert world.requests == []


@pytest.mark.parametrize("file", ["no/such/folder/probe.md", ".", "probe.json", "a.md"])
def test_a_report_that_cannot_be_written_is_known_before(world: World, airflow_home: Path, file: str) -> None:
    (airflow_home / "a.json").mkdir()
    probed = probe(OnWorld(world), airflow_home, "--report", str(airflow_home / file))
    assert "--report is " in str(probed.error)
    assert world.requests == []


def test_a_folder_that_is_not_to_be_written_to_is_known_before(
    world: World, airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # whoever runs the tests may write everywhere, perhaps
    assert "cannot be written" in str(probe(OnWorld(world), airflow_home).error)
    assert world.requests == []


def test_a_report_that_could_not_be_written_after_all_is_no_success(
    world: World, airflow_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (airflow_home / "full.md").symlink_to("/dev/full")
    probed = probe(OnWorld(world), airflow_home, "--report", str(airflow_home / "full.md"))
    assert probed.status == 1
    assert "The report cannot be written" in caplog.text
    assert copies(world) == []


@pytest.mark.parametrize(("image", "words"), [(ENCRYPTED_IMAGE, "is encrypted"), (ISO_IMAGE, "ISO image")])
def test_an_image_that_cannot_be_probed_with_is_not_copied(
    world: World, airflow_home: Path, image: str, words: str
) -> None:
    probed = probe(OnWorld(world), airflow_home, image=image)
    assert isinstance(probed.error, ArgumentError)
    assert words in str(probed.error)
    assert world.counted("POST copy") == 0
    assert noted(airflow_home) == []


@pytest.mark.parametrize(("flags", "quota"), [((), 27), (("--duplicate-name",), 28), (ALL, 32)])
def test_a_quota_without_room_is_seen_before(airflow_home: Path, flags: tuple[str, ...], quota: int) -> None:
    world = World(quota=quota)
    probed = probe(OnWorld(world), airflow_home, *flags)
    assert isinstance(probed.error, RefusedError)
    assert f"27 of {quota} are used" in str(probed.error)
    assert world.counted("POST copy") == 0


@pytest.mark.parametrize("kind", ["reset_after", "truncated", "bad_json"])
def test_a_copy_whose_answer_is_lost_is_found_and_deleted(airflow_home: Path, kind: Any) -> None:
    world = World(list_lag=20.0)
    world.cloud.faults.add(Fault("copy", kind))
    probed = probe(OnWorld(world), airflow_home)
    assert (probed.status, copies(world), noted(airflow_home)) == (0, [], [])
    assert world.counted("copies_accepted") == 1
    assert probed.row("job_type")["seen"] == "no job was seen"
    assert probed.row("description")["verdict"] == "confirmed"


def test_a_question_that_cannot_be_asked_is_not_probed(world: World, airflow_home: Path) -> None:
    hook = OnWorld(world)
    hook.patience = 0.0
    world.cloud.faults.add(Fault("job", "reset_before"))
    probed = probe(hook, airflow_home)
    assert probed.status == 0
    assert probed.row("unknown_job")["seen"] == "no job was asked for that there is not"
    assert "| `unknown_job` |" in probed.report.split("## Not probed")[1]


def test_a_copy_that_never_was_leaves_no_note(world: World, airflow_home: Path) -> None:
    world.cloud.faults.add(Fault("copy", "reset_before"))
    probed = probe(OnWorld(world), airflow_home)
    assert isinstance(probed.error, LostSubmitError)
    assert (copies(world), noted(airflow_home)) == ([], [])
    assert "It ended early: No copy has appeared" in probed.report


@pytest.mark.parametrize("route", ["job", "list", "image", "delete", "quota", "*"])
@pytest.mark.parametrize("kind", ["status", "reset_after", "bad_json", "html"])
def test_what_fails_for_a_moment_changes_nothing(world: World, airflow_home: Path, route: Any, kind: Any) -> None:
    hook = OnWorld(world)
    strike = count()

    def now_and_then(request: Request) -> None:
        if request.method != "POST" and next(strike) % 7 == 6:
            world.cloud.faults.add(Fault(route, kind))
        if request.method == "POST":
            world.cloud.faults.clear()

    hook.before = now_and_then
    probed = probe(hook, airflow_home)
    world.cloud.faults.clear()
    if probed.error or probed.status:
        hook.before = lambda request: None
        world.wait(3600.0)
        probe(hook, airflow_home, terminal=Terminal("Delete it?"))
    assert (copies(world), noted(airflow_home)) == ([], [])
    assert world.counted("copies_accepted") <= 1


def interrupt_at(hook: OnWorld, number: int) -> None:
    """Have the process end at the request of that number."""
    numbers = count(1)

    def end(request: Request) -> None:
        if next(numbers) == number:
            raise KeyboardInterrupt

    hook.before = end


@pytest.mark.parametrize("settings", [{}, {"list_lag": 60.0, "description_lag": 60.0}], ids=["quick", "slow"])
def test_wherever_it_is_killed_the_next_one_deletes_what_it_made(airflow_home: Path, settings: dict[str, Any]) -> None:
    ends = 0
    for number in count(1, 2):
        world = World(**settings)
        hook = OnWorld(world)
        interrupt_at(hook, number)
        probed = probe(hook, airflow_home, "--duplicate-name")
        if probed.error is None:
            break
        ends += 1
        assert isinstance(probed.error, KeyboardInterrupt)
        sent = [copy["name"] for copy in noted(airflow_home) if copy["sent"]]
        assert len(copies(world)) <= len(sent)
        assert all(name in probed.on_interrupt for name in sent)
        hook.before = lambda request: None
        world.wait(7200.0)
        again = probe(hook, airflow_home, terminal=Terminal("Delete it?"))
        assert (again.status, copies(world), noted(airflow_home)) == (1, [], []), number
    assert ends > 15


def test_what_is_left_is_named_and_deleted_only_with_a_yes(world: World, airflow_home: Path) -> None:
    world.cloud.faults.add(Fault("copy", "job_stuck"))
    hook = OnWorld(world)
    probed = probe(hook, airflow_home, "--timeout", "60")
    (job,) = world.cloud.jobs
    (name,) = copies(world)
    assert isinstance(probed.error, JobTimeoutError)
    assert f"image {job.image_id} '{name}' (job {job.id})" in probed.on_interrupt
    still = probe(hook, airflow_home, terminal=Terminal("Delete it?"))
    assert f"An earlier probe has left image {job.image_id} '{name}'" in still.terminal.asked[0]
    assert copies(world) == [name]  # it is being made, and cannot be deleted
    world.cloud.end_job(job.id)
    probe(hook, airflow_home, terminal=Terminal())
    assert copies(world) == [name]
    probe(hook, airflow_home, terminal=Terminal("Delete it?"))
    assert (copies(world), noted(airflow_home)) == ([], [])


@pytest.mark.parametrize("changed", [{"name": "somebody-elses"}, {"description": "ims"}, {"id": PLAIN_IMAGE}])
def test_what_is_not_its_own_is_not_deleted(world: World, airflow_home: Path, changed: dict[str, str]) -> None:
    hook = OnWorld(world)
    interrupt_at(hook, 15)
    probe(hook, airflow_home)
    hook.before = lambda request: None
    world.wait(100.0)
    (name,) = copies(world)
    (job,) = world.cloud.jobs
    if "description" in changed:  # an image of the same name by somebody else
        world.cloud.state.images[job.image_id].name = "renamed"
        other = world.cloud.add_image(name, description="by hand")
    else:
        world.cloud.state.images[job.image_id].name = "renamed"
        other = world.cloud.state.images[changed.get("id", job.image_id)]
    probe(hook, airflow_home, terminal=Terminal("Delete it?"))
    assert other.deleted_at is None
    assert world.cloud.state.images[job.image_id].deleted_at is None
    assert noted(airflow_home)
