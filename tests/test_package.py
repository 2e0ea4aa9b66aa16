"""What is installed: the wheel holds the package and nothing else, and says what an index shows of it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import airflow_provider_ims

PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)  # noqa: S603 - our own build
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    there = {str(path.relative_to(PROJECT)) for path in (PROJECT / "airflow_provider_ims").rglob("*.py")}
    assert held == there | {"airflow_provider_ims/py.typed"}


def test_it_says_what_an_index_shows(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(path).decode())
    assert (metadata["Name"], metadata["Version"]) == ("airflow-provider-ims", airflow_provider_ims.__version__)
    assert (metadata["License-Expression"], metadata["Requires-Python"]) == ("Apache-2.0", ">=3.11")
    assert "Framework :: Apache Airflow :: Provider" in metadata.get_all("Classifier", [])
    required = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", [])}
    assert {"apache-airflow", "apache-airflow-providers-http", "requests"} <= required
    assert not any("<" in line or "==" in line for line in metadata.get_all("Requires-Dist", []))


def test_it_names_its_provider(wheel: zipfile.ZipFile) -> None:
    (path,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "provider_info = airflow_provider_ims:get_provider_info" in wheel.read(path).decode()
