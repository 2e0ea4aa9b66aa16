"""``python -m airflow_provider_ims.simulator`` as a user starts it, and the fixture for users' own tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_provider_ims.simulator import Settings
from airflow_provider_ims.simulator.__main__ import _sentence, main
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

ROOT = Path(__file__).parent.parent.parent
COMMAND = [sys.executable, "-m", "airflow_provider_ims.simulator", "--port", "0"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends_clean(number: int, tmp_path: Path) -> None:
    capture = tmp_path / "capture.jsonl"
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"region": "eu-nl", "images": 5}))
    flags = ["--settings", str(settings), "--images", "1", "--capture", str(capture)]  # the flag counts more
    with subprocess.Popen([*COMMAND, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - itself
        assert process.stdout is not None
        url = process.stdout.readline().removeprefix("IAM and IMS simulated at ").strip()
        connection = json.loads(process.stdout.readline())
        images = [process.stdout.readline() for _ in range(9)]
        with urllib.request.urlopen(f"{url}/v3", timeout=5) as answer:  # noqa: S310 - loopback
            assert answer.status == 200
        process.send_signal(number)
        assert process.wait(5) == 0
    assert url.startswith("http://127.0.0.1:")
    assert connection["conn_type"] == "ims"
    assert connection["extra"] == {"iam_endpoint": f"{url}/v3", "region": "eu-nl", "domain_name": "OTC-SIMULATOR"}
    assert images[0].startswith(f"{PLAIN_IMAGE}  golden-source-ubuntu-24.04")
    assert json.loads(capture.read_text())["path"] == "/v3"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--colour", "red"],
        ["--copy-seconds", "long"],
        ["--copy-seconds", "-1"],
        ["--unknown-job", "500"],
        ["--settings", "/no/such/file"],
        ["--port", "99999"],
        ["--capture", "/no/such/folder/file"],
    ],
)
def test_a_mistake_costs_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_host_that_no_name_server_knows_is_said_in_its_words() -> None:
    assert _sentence(socket.gaierror(socket.EAI_NONAME, "Name not known"), "nowhere:0") == (
        "cannot use nowhere:0: Name not known"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [('{"colour": "red"}', "no such setting: colour"), ("[]", "settings are a JSON object"), ("{", "Expecting")],
)
def test_a_file_that_holds_no_settings(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    with pytest.raises(SystemExit):
        main(["--settings", str(file)])
    assert sentence in capsys.readouterr().err


def test_every_setting_is_a_flag_with_a_line_of_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert [each.name for each in fields(Settings) if f"--{each.name.replace('_', '-')}" not in shown] == []
    assert [each.name for each in fields(Settings) if not each.metadata.get("doc")] == []


def test_the_fixture_gives_a_dag_test_its_connection(tmp_path: Path) -> None:
    story = """
import json, os, urllib.request

def test_first(ims_simulator):
    assert json.loads(os.environ["AIRFLOW_CONN_IMS_DEFAULT"]) == ims_simulator.connection
    assert ims_simulator.connection["host"] == ims_simulator.url
    assert urllib.request.urlopen(ims_simulator.url + "/v3").status == 200
    assert ims_simulator.cloud.counters["GET versions"] == 1

def test_second():
    assert "AIRFLOW_CONN_IMS_DEFAULT" not in os.environ
"""
    (tmp_path / "test_dag.py").write_text(story)
    plugins = ["-p", "no:airflow", "-p", "no:cacheprovider", "-p", "airflow_provider_ims.simulator.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "--rootdir", str(tmp_path), str(tmp_path)]
    environment = {key: value for key, value in os.environ.items() if key != "AIRFLOW_CONN_IMS_DEFAULT"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - itself
    assert "2 passed" in done.stdout, done.stdout + done.stderr
