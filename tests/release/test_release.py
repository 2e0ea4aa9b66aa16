"""A release: built twice alike, whole, and used from an environment that has nothing of this repository.

Sets up environments with pip, so it needs an index of packages; the rest is on loopback.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_provider_ims
from tests.real.processes import Part, pause, stop

PROJECT = Path(__file__).parents[2]
LONG_AGO = 1_000_000_000
SUPPORTED = {"requirements.lock": "newest", "requirements-lowest.lock": "lowest"}


def built(folder: Path, *arguments: str) -> dict[str, Path]:
    """What ``python -m build`` makes of the tree in ``folder``, by suffix."""
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--outdir",
        str(folder / "dist"),
        *arguments,
        str(folder),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return {path.suffix: path for path in (folder / "dist").iterdir()}


def copied(folder: Path) -> Path:
    """This tree, as far as it is not made from it."""
    made = shutil.ignore_patterns(".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "build", "dist")
    shutil.copytree(PROJECT, folder, ignore=made)
    return folder


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(tmp_path_factory.mktemp("tree") / "first")


@pytest.fixture(scope="module")
def release(tree: Path) -> dict[str, Path]:
    return built(tree)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_tree_makes_the_same_files(release: dict[str, Path], tmp_path: Path) -> None:
    other = copied(tmp_path / "elsewhere")
    for path in other.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (LONG_AGO, LONG_AGO))
    again = built(other)
    assert set(release) == {".gz", ".whl"}
    assert {suffix: digest(path) for suffix, path in again.items()} == {
        suffix: digest(path) for suffix, path in release.items()
    }


def test_the_source_makes_the_same_wheel_and_holds_what_it_needs(release: dict[str, Path], tmp_path: Path) -> None:
    with tarfile.open(release[".gz"]) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.iterdir()
    assert digest(built(source, "--wheel")[".whl"]) == digest(release[".whl"])
    there = {path.name for path in source.iterdir()}
    assert {"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "dags", "tests", "requirements.lock"} <= there


def test_an_index_would_take_it(release: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, release.values())]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "300"})
    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout


def test_the_version_stands_in_one_place(tree: Path, release: dict[str, Path]) -> None:
    version = airflow_provider_ims.__version__
    assert {path.name for path in release.values()} == {
        f"airflow_provider_ims-{version}.tar.gz",
        f"airflow_provider_ims-{version}-py3-none-any.whl",
    }
    literal = re.compile(rf"""["']{re.escape(version)}["']""")
    places = [
        str(path.relative_to(tree))
        for pattern in ("*.toml", "airflow_provider_ims/**/*.py")
        for path in tree.glob(pattern)
        if literal.search(path.read_text())
    ]
    assert places == ["airflow_provider_ims/__init__.py"]


class Environment:
    """A virtual environment with a bare Airflow of one lock, and nothing else."""

    def __init__(self, folder: Path, lock: str) -> None:
        self.folder = folder
        self.python = str(folder / "venv" / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
        self.pip("install", "apache-airflow", "--constraint", str(PROJECT / lock))

    def pip(self, *arguments: str) -> str:
        """Run pip there; returns what it printed."""
        command = [self.python, "-m", "pip", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def packages(self) -> dict[str, str]:
        """What is installed, by name."""
        return {each["name"]: each["version"] for each in json.loads(self.pip("list", "--format", "json"))}

    def env(self, **more: str) -> dict[str, str]:
        """What its processes see: neither this repository, nor the user's own Airflow."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return kept | direct | {"AIRFLOW_HOME": str(self.folder / "home")} | more

    def airflow(self, *arguments: str, **more: str) -> str:
        """Run an ``airflow`` command there; returns its standard output."""
        command = [self.python, "-m", "airflow", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=self.env(**more))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=[*SUPPORTED], ids=[*SUPPORTED.values()])
def bare(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("bare"), request.param)


@pytest.fixture(scope="module")
def installed(bare: Environment, release: dict[str, Path]) -> Environment:
    """The wheel in a bare Airflow, each of whose packages must stay as it is."""
    before = bare.packages()
    constraints = bare.folder / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in before.items()))
    bare.pip("install", str(release[".whl"]), "--constraint", str(constraints))
    return bare


def test_it_fits_into_a_bare_airflow_and_changes_nothing_there(installed: Environment) -> None:
    kept = dict(line.strip().split("==") for line in (installed.folder / "constraints.txt").read_text().splitlines())
    after = installed.packages()
    assert {name: after.get(name) for name in kept} == kept
    assert {"airflow-provider-ims", "apache-airflow-providers-http"} <= set(after) - set(kept)
    assert "No broken requirements" in installed.pip("check")


def test_airflow_lists_it(installed: Environment) -> None:
    listed = json.loads(installed.airflow("providers", "list", "-o", "json").splitlines()[-1])
    ours = next(each for each in listed if each["package_name"] == "airflow-provider-ims")
    assert ours["version"] == airflow_provider_ims.__version__


@pytest.fixture
def simulator(installed: Environment) -> Iterator[Part]:
    """The simulator of the installed wheel."""
    command = [installed.python, "-m", "airflow_provider_ims.simulator", "--port", "0"]
    part = Part("simulator", command, installed.env(PYTHONUNBUFFERED="1"), installed.folder / "simulator.log")
    try:
        while part.output().count("\n") < 3:
            part.check()
            pause(0.1)
        yield part
    finally:
        stop([part])


def test_it_is_used_from_there(installed: Environment, simulator: Part) -> None:
    _, connection, image, *_ = simulator.output().partition("IAM and IMS simulated")[2].splitlines()
    installed.airflow("db", "migrate")
    found = {"AIRFLOW_CONN_IMS_DEFAULT": connection}
    installed.airflow("ims", "check", **found)
    made = installed.airflow("ims", "copy", image.split()[0], "--name", "released", "--wait", "-o", "json", **found)
    listed = installed.airflow("ims", "images", "--name", "released", "-o", "json", **found)
    assert [each["id"] for each in json.loads(listed)] == [json.loads(made)[0]["image_id"]]
