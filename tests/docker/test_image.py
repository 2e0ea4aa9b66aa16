"""What docker/Dockerfile builds: the official image and our wheel, nothing less and nothing more."""

from __future__ import annotations

import airflow_provider_ims
from tests.docker.engine import Docker, base_image

BARE = ("run", "--rm", "--network", "none", "--entrypoint", "")


def test_it_has_one_package_more_than_the_official_one(engine: Docker, image: str) -> None:
    freeze = ("pip", "list", "--format", "freeze")
    before, after = (set(engine(*BARE, name, *freeze).split()) for name in (base_image(), image))
    assert (after - before, before - after) == ({f"airflow-provider-ims=={airflow_provider_ims.__version__}"}, set())


def test_it_runs_as_airflow(engine: Docker, image: str) -> None:
    assert engine(*BARE, image, "id", "--user").strip() == "50000"
    assert engine("image", "inspect", "--format", "{{.Config.Entrypoint}}", image) == engine(
        "image", "inspect", "--format", "{{.Config.Entrypoint}}", base_image()
    )


def test_nothing_is_left_of_the_build(engine: Docker, image: str) -> None:
    look = "ls -A /tmp/wheel /tmp/source /home/airflow/.cache/pip; command -v gcc cc make; true"
    assert not engine(*BARE, image, "bash", "-c", look).strip()
    assert engine(*BARE, image, "ls", "/opt/ims").split() == [
        "alive.py",
        "init.sh",
        "secrets.sh",
        "simulator-connection.json",
    ]


def test_airflow_lists_the_provider(engine: Docker, image: str) -> None:
    said = engine(*BARE, image, "airflow", "providers", "get", "airflow-provider-ims", "--output", "json")
    assert f'"Version": "{airflow_provider_ims.__version__}"' in said
