"""``airflow ims``: each command as a user runs it, its result alone on standard output, its exit status."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.simulator import Fault
from airflow_provider_ims.simulator.cloud import Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import ENCRYPTED_IMAGE, KEY, PLAIN_IMAGE
from airflow_provider_ims.simulator.server import running
from airflow_provider_ims.simulator.settings import Settings, read_settings

pytestmark = pytest.mark.usefixtures("airflow_home")

AIRFLOW = (sys.executable, "-m", "airflow", "ims")
WAIT = ("--wait", "--poll-interval", "0.2")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run((*AIRFLOW, *arguments), capture_output=True, text=True, timeout=120)


def row(done: subprocess.CompletedProcess[str]) -> Any:
    """The one row of a result, which must be all of standard output."""
    (found,) = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("command", ["check", "images", "copy", "job", "probe"])
def test_each_command_has_a_help(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "exit status: 0 if it worked; 1 if the cloud refused" in done.stdout
    assert "--conn-id" in done.stdout


def test_check_tells_both_halves(ims_simulator: ImsSimulator) -> None:
    done = run("check")
    assert (done.returncode, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith(f"Log-in at IAM {ims_simulator.url} works, as OTC-SIMULATOR/ims-operator, project ")
    found = row(run("check", "-o", "json"))
    assert (found["works"], found["private_images"], found["quota"], found["advice"]) == (True, 27, 50, None)


def test_check_tells_what_to_mend(ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = ims_simulator.connection | {"password": "not-this-one"}
    monkeypatch.setenv("AIRFLOW_CONN_IMS_WRONG", json.dumps(wrong))
    done = run("check", "--conn-id", "ims_wrong", "-o", "json")
    assert (done.returncode, row(done)["error"]) == (1, "LoginRefusedError")
    assert "login, password, domain_name" in row(done)["advice"]
    assert "not-this-one" not in done.stdout + done.stderr
    nowhere = run("check", "--conn-id", "nowhere")
    assert nowhere.returncode == 2
    assert "There is no connection 'nowhere', or Airflow could not look it up: create one" in nowhere.stdout
    ims_simulator.cloud.faults.add(Fault("list", "status", status=503))
    assert run("check").returncode == 4


def test_images_are_filtered_and_counted(ims_simulator: ImsSimulator) -> None:
    found = json.loads(run("images", "--limit", "3", "-o", "json").stdout)
    assert [image["name"] for image in found] == ["source-020", "source-019", "source-018"]
    (encrypted,) = json.loads(run("images", "--name", "source-encrypted", "-o", "json").stdout)
    assert (encrypted["id"], encrypted["cmk_id"], encrypted["size_gib"]) == (ENCRYPTED_IMAGE, KEY, 2.0)
    table = run("images", "--type", "gold").stdout
    assert "Standard_Ubuntu_24.04_latest" in table
    assert "source-020" not in table


@pytest.mark.parametrize("output", ["table", "json", "plain"])
def test_who_has_seen_enough_breaks_the_pipe_quietly(ims_simulator: ImsSimulator, output: str) -> None:
    with subprocess.Popen(
        (*AIRFLOW, "images", "-o", output), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        said = process.stderr.read()
    assert b"Traceback" not in said
    assert b"Error" not in said


def test_the_same_copy_again_is_the_same_image(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=1.0, list_lag=30.0, description_lag=60.0)
    begun = run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json")
    assert (begun.returncode, row(begun)["image_name"]) == (0, "golden")
    assert "Submitted: job " in begun.stderr
    waited = run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json", *WAIT)
    assert (waited.returncode, row(waited)["job_id"]) == (0, row(begun)["job_id"])
    assert f"Adopted job {row(begun)['job_id']} of an earlier try" in waited.stderr
    assert f"image {row(waited)['image_id']} is active" in waited.stderr
    again = run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json")
    assert (again.returncode, row(again)["image_id"]) == (0, row(waited)["image_id"])
    assert len(ims_simulator.cloud.jobs) == 1


def test_a_job_that_is_not_shown_yet_was_begun_all_the_same(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(job_lag=60.0)
    done = run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json")
    (job,) = ims_simulator.cloud.jobs
    assert (done.returncode, row(done)["job_id"], row(done)["status"]) == (0, job.id, "UNKNOWN")


def test_the_same_copy_twice_at_once_is_the_same_image(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(list_lag=30.0)
    command = (*AIRFLOW, "copy", PLAIN_IMAGE, "--name", "golden", "-o", "json")
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (json.loads(process.communicate(timeout=120)[0])[0]["job_id"] for process in both)
    assert first == second
    assert len(ims_simulator.cloud.jobs) == 1


def test_the_same_copy_in_another_project_is_another_image(
    ims_simulator: ImsSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ims_simulator.cloud.change(list_lag=30.0)
    with running(Cloud(ims_simulator.cloud.settings)) as other:
        monkeypatch.setenv("AIRFLOW_CONN_IMS_OTHER", json.dumps(connection_to(other.url, other.cloud.settings)))
        here = row(run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json"))
        there = run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json", "--conn-id", "ims_other")
    assert "Submitted: job " in there.stderr
    assert "may have been begun" not in there.stderr
    assert row(there)["job_id"] != here["job_id"]
    assert row(run("copy", PLAIN_IMAGE, "--name", "golden", "-o", "json"))["job_id"] == here["job_id"]
    assert len(ims_simulator.cloud.jobs) == 1


def test_a_copy_begun_without_a_key_is_not_taken_for_an_encrypted_one(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    assert run("copy", PLAIN_IMAGE, "--name", "golden").returncode == 0
    done = run("copy", PLAIN_IMAGE, "--name", "golden", "--cmk-id", KEY)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"with cmk_id None, and '{KEY}' is asked for: ask for the same" in done.stderr
    assert len(ims_simulator.cloud.jobs) == 1


def test_a_copy_that_fails_says_why(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0, fail_code="IMG.0099")
    done = run("copy", PLAIN_IMAGE, "--name", "golden", *WAIT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("Error: Job ")
    assert "IMG.0099" in done.stderr
    (job,) = ims_simulator.cloud.jobs
    shown = run("job", job.id, "-o", "json")
    assert (shown.returncode, row(shown)["status"], row(shown)["error_code"]) == (1, "FAIL", "IMG.0099")
    shown = run("copy", PLAIN_IMAGE, "--name", "another", "-o", "json")
    assert (shown.returncode, row(shown)["status"]) == (1, "FAIL")


def test_a_job_that_the_cloud_broke_off_has_failed_in_its_own_words(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=0.0, fail_code="IMG.0014", fail_reason="device [/dev/vda] broken")
    assert run("copy", PLAIN_IMAGE, "--name", "golden", *WAIT).returncode == 1
    (job,) = ims_simulator.cloud.jobs
    shown = run("job", job.id)
    assert shown.returncode == 1
    assert "device [/dev/vda] broken" in shown.stdout


def test_what_cannot_be_sent_is_not_sent(ims_simulator: ImsSimulator) -> None:
    wrong = {
        ("copy", "nonsense", "--name", "golden"): "image_id is 'nonsense'",
        ("copy", PLAIN_IMAGE, "--name", "a<b"): "Error: name is 'a<b'",
        ("copy", ENCRYPTED_IMAGE, "--name", "plain"): "give a cmk_id, or allow_decryption=True",
        ("copy", PLAIN_IMAGE): "--name",
        ("copy", PLAIN_IMAGE, "--name", "golden", "--description", 981 * "x"): "44 are kept for the fingerprint",
        ("job", "1", "--timeout", "-1"): "number of seconds",
        ("job", "1", "--timeout", "1e15"): "number of seconds",
    }
    for arguments, words in wrong.items():
        done = run(*arguments)
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert ims_simulator.cloud.counters["POST copy"] == 0


def test_time_that_runs_out_and_a_cloud_that_is_not_there_have_a_status_each(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    done = run("copy", PLAIN_IMAGE, "--name", "golden", "--timeout", "1", *WAIT)
    assert done.returncode == 3
    assert "The cloud goes on with it" in done.stderr
    (job,) = ims_simulator.cloud.jobs
    assert run("job", job.id, "--timeout", "1", *WAIT).returncode == 3
    ims_simulator.cloud.faults.add(Fault("image", "bad_json", times=None))
    assert run("job", f"image:{PLAIN_IMAGE}").returncode == 4


def test_ctrl_c_says_what_goes_on(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    command = (*AIRFLOW, "copy", PLAIN_IMAGE, "--name", "golden", *WAIT)
    heeds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what a shell runs in the background ignores it
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeds
    ) as process:
        try:
            until = time.monotonic() + 60
            while not ims_simulator.cloud.counters["GET job"] and time.monotonic() < until:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=60)
        finally:
            process.kill()
    (job,) = ims_simulator.cloud.jobs
    assert (process.returncode, out) == (130, "")
    assert f"job {job.id}. It goes on in the cloud" in said
    assert "The same command takes it up again." in said
    assert "Traceback" not in said


def test_a_terminal_shows_how_far_it_is(ims_simulator: ImsSimulator) -> None:
    ims_simulator.cloud.change(copy_seconds=3.0, process_percent=True)
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    command = (*AIRFLOW, "copy", PLAIN_IMAGE, "--name", "golden", "-o", "json", *WAIT)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=environment, text=True) as process:
        os.close(theirs)
        shown = b""
        while piece := _read(ours):
            shown += piece
        assert process.stdout
        result = json.loads(process.stdout.read())
    os.close(ours)
    assert (process.returncode, result[0]["status"]) == (0, "SUCCESS")
    assert b": RUNNING, " in shown
    assert b"\x1b[" in shown


PROBE = ("probe", "--image", PLAIN_IMAGE, "--poll-interval", "1")


def test_a_probe_makes_a_settings_file_that_the_simulator_takes(ims_simulator: ImsSimulator, tmp_path: Path) -> None:
    ims_simulator.cloud.change(copy_seconds=4.0, unknown_job="404", process_percent=True)
    done = run(*PROBE, "--report", str(tmp_path / "probe.md"), "--yes", "-o", "json")
    assert done.returncode == 0, done.stderr
    found = {row["question"]: row for row in json.loads(done.stdout)}
    assert (found["job_type"]["verdict"], found["unknown_job"]["setting"]) == ("confirmed", "404")
    assert ims_simulator.cloud.copies() == []
    assert "## As documented" in (tmp_path / "probe.md").read_text()
    settings = Settings(**read_settings(json.loads((tmp_path / "probe.json").read_text())))
    assert (settings.unknown_job, settings.process_percent, settings.image_appears) == ("404", True, "running")
    assert settings.copy_seconds == pytest.approx(4.0)


def test_a_probe_asks_at_the_terminal_and_nowhere_else(ims_simulator: ImsSimulator, tmp_path: Path) -> None:
    done = subprocess.run((*AIRFLOW, *PROBE), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no terminal: give --yes" in done.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        (*AIRFLOW, *PROBE), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, text=True
    ) as process:
        os.write(ours, b"n\n")
        out, said = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (1, "")
    assert "Go on? [y/N]" in said
    assert "Nothing was copied." in said
    assert ims_simulator.cloud.counters["POST copy"] == 0
    assert list(tmp_path.glob("ims-probe-*.md")) == []


def test_a_probe_that_was_killed_has_noted_what_it_made(ims_simulator: ImsSimulator, tmp_path: Path) -> None:
    ims_simulator.cloud.change(copy_seconds=3600.0)
    with subprocess.Popen((*AIRFLOW, *PROBE, "--yes"), cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while ims_simulator.cloud.counters["GET job"] < 2 and time.monotonic() < until:  # the first is of no job
            time.sleep(0.05)
        process.kill()
    (job,) = ims_simulator.cloud.jobs
    ims_simulator.cloud.end_job(job.id)
    ims_simulator.cloud.change(copy_seconds=0.0)
    done = run(*PROBE, "--report", str(tmp_path / "probe.md"), "--yes")
    assert done.returncode == 0, done.stderr
    assert f"Deleted image {job.image_id} '{job.image_name}' (job {job.id})" in done.stderr
    assert ims_simulator.cloud.copies() == []


def _read(file: int) -> bytes:
    try:
        return os.read(file, 4096)
    except OSError:  # the other side is closed
        return b""
