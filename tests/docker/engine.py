"""Docker for these tests: the machine's own, else one that is set up for them, without a registry.

Where the machine has an engine, the official images are pulled. Else, as root, debootstrap makes a Debian with an
engine in ``build/docker``, and that Debian with the packages of ``requirements-cluster.lock`` stands in for the images.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.real.processes import Part, StackError, pause, stop

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "docker" / "compose.yaml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
SUITE = "trixie"
PACKAGES = {
    "engine": ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "iptables"),
    "images": ("ca-certificates", "curl", "dumb-init", "gosu", "postgresql", "python3-venv", "redis-server"),
}
MISSING = (
    "These tests need Docker with Compose; or root, debootstrap and unshare, to set up an engine of their own: "
    "on Debian apt-get install debootstrap"
)


class Docker:
    """The command ``docker``, for this engine and the project's compose file."""

    def __init__(self, *before: str, own: bool = False) -> None:
        self.own = own
        self._before = before

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever comes of it."""
        command = [*self._before, "docker", *arguments]
        return subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True, cwd=PROJECT)

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run it and return what it wrote to standard output; ``StackError`` if it fails."""
        done = self.run(*arguments, env=env)
        if done.returncode:
            raise StackError(
                f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
            )
        return done.stdout


def base_image() -> str:
    """What ``docker/Dockerfile`` builds on."""
    (name,) = re.findall(r"^ARG AIRFLOW_IMAGE=(\S+)$", (PROJECT / "docker" / "Dockerfile").read_text(), re.MULTILINE)
    return str(name)


@contextmanager
def docker(folder: Path) -> Iterator[Docker]:
    """Within, an engine that can build and run. ``folder`` is for what an own engine keeps between calls."""
    there = Docker()
    if shutil.which("docker") and not any(there.run(*words).returncode for words in (["info"], ["compose", "version"])):
        yield there
        return
    if os.geteuid() != 0 or not (shutil.which("debootstrap") and shutil.which("unshare")):
        raise StackError(MISSING)
    root = folder / "root"
    _make_root(root)
    script = Path(__file__).with_name("engine.sh")
    command = ["unshare", "--mount", "sh", str(script), str(root), str(PROJECT)]
    part = Part("dockerd", command, dict(os.environ), folder / "dockerd.log")
    try:
        enter = ["nsenter", f"--target={part.process.pid}", "--mount", "--root", "--wdns=/", "env", "HOME=/root"]
        own = Docker(*enter, "DOCKER_HOST=unix:///run/docker.sock", own=True)
        while own.run("info").returncode:
            part.check()
            pause(0.5)
        _stand_in(own, root)
        yield own
    finally:
        stop([part])


def _make_root(root: Path) -> None:
    if (root / "made").exists():
        return
    shutil.rmtree(root, ignore_errors=True)
    packages = ",".join(name for names in PACKAGES.values() for name in names)
    _run("debootstrap", "--variant=minbase", f"--include={packages}", SUITE, str(root))
    for name in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt"):  # how this machine reaches its registries
        shutil.copy(name, f"{root}{name}")
    (root / "made").touch()


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise StackError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}")


def _stand_in(own: Docker, root: Path) -> None:
    """Make the images that a registry would have."""
    if own.run("image", "inspect", "ims-test/debian").returncode:
        _run(
            "sh",
            "-c",
            f"tar -C {root} --one-file-system --exclude=./var/lib/docker --exclude=./old -c . -f {root}/debian.tar",
        )
        own("import", "/debian.tar", "ims-test/debian")
        (root / "debian.tar").unlink()
    here = Path(__file__).parent
    build = ["build", "--network", "host", "--file"]
    own(*build, str(here / "base.Dockerfile"), "--tag", base_image(), str(PROJECT))
    tags = [part for name in ("postgres", "redis") for part in ("--tag", SERVICES[name]["image"])]
    own(*build, str(here / "services.Dockerfile"), *tags, str(PROJECT))
