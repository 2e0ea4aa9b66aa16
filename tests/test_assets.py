"""Assets: which URIs are refused, and what the event of a new image tells."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import DAG, Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_ims.assets import FACTS
from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import KEY, PLAIN_IMAGE
from tests.shells import operator, run_task, waiting

pytestmark = pytest.mark.usefixtures("airflow_home")

URI = "ims://eu-de/eu-de_images/golden-ubuntu"


def event_of(task: Any, asset: Any, **context: Any) -> dict[str, Any]:
    """The extra of the event that this task sends for this asset."""
    events = OutletEventAccessors()
    run_task(task, outlet_events=events, **context)
    return dict(events[asset].extra)


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_operator_that_waits_tells_of_its_image(ims_simulator: ImsSimulator, deferrable: bool) -> None:
    asset = Asset(URI)
    extra = event_of(waiting(deferrable=deferrable, cmk_id=KEY, outlets=[asset]), asset)
    (job,), (image,) = ims_simulator.cloud.jobs, ims_simulator.cloud.copies()
    assert set(extra) == set(FACTS)
    assert (extra["image_id"], extra["image_name"], extra["job_id"]) == (image["id"], "golden", job.id)
    assert (extra["source_image_id"], extra["cmk_id"]) == (PLAIN_IMAGE, KEY)
    assert extra["size"] == ims_simulator.cloud.state.images[PLAIN_IMAGE].size
    assert extra["duration"] == pytest.approx((job.ends_at - job.submitted_at).total_seconds(), abs=0.01)


@pytest.mark.parametrize("seconds", [0.5, 0.0])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_sensor_tells_the_same_of_an_image_that_it_knows_by_its_job(
    ims_simulator: ImsSimulator, deferrable: bool, seconds: float
) -> None:
    ims_simulator.cloud.change(copy_seconds=seconds)
    asset, job_id = Asset(URI), run_task(operator()).returned
    sensor = JobSensor(
        task_id="wait", job_id=job_id, outlets=[asset], deferrable=deferrable, mode="poke", poke_interval=0.1
    )
    extra = event_of(sensor, asset)
    assert (extra["image_name"], extra["source_image_id"], extra["job_id"]) == ("golden", PLAIN_IMAGE, job_id)
    assert extra["duration"] == pytest.approx(seconds, abs=0.01)


def test_what_nobody_knows_is_null(ims_simulator: ImsSimulator) -> None:
    asset = Asset(URI)
    image_id = run_task(waiting()).xcom["image_id"]
    extra = event_of(JobSensor(task_id="wait", job_id=f"image:{image_id}", outlets=[asset]), asset)
    assert (extra["image_id"], extra["cmk_id"], extra["duration"]) == (image_id, None, None)


def test_other_outlets_are_left_alone(ims_simulator: ImsSimulator) -> None:
    other = Asset("s3://bucket/key")
    assert event_of(waiting(outlets=[AssetAlias("some"), other]), other) == {}


def test_a_reference_to_an_asset_counts_as_the_asset(ims_simulator: ImsSimulator) -> None:
    told: dict[str, dict[str, Any]] = {}

    class Events(dict[Any, Any]):
        def __missing__(self, key: Any) -> Any:
            return type("Event", (), {"extra": told.setdefault(key.uri, {})})

    run_task(waiting(outlets=[Asset.ref(uri=URI)]), outlet_events=Events())
    assert list(told) == [URI]
    assert told[URI]["image_name"] == "golden"


def test_an_operator_that_does_not_wait_has_no_image_to_tell_of() -> None:
    with pytest.raises(ArgumentError, match=r"outlets need wait_for_completion=True \(or set them on the JobSensor\)"):
        operator(outlets=[Asset(URI)])


def test_a_mapped_one_is_refused_when_it_starts(ims_simulator: ImsSimulator) -> None:
    with DAG("a_dag", schedule=None):
        mapped = CopyImageOperator.partial(task_id="copy", image_id=PLAIN_IMAGE, outlets=[Asset(URI)]).expand(
            name=["a"]
        )
    with pytest.raises(ArgumentError, match="outlets need"):
        mapped.operator_class(**mapped.partial_kwargs, task_id="copy", name="a")
    assert ims_simulator.cloud.counters["POST copy"] == 0


@pytest.mark.parametrize("uri", [URI, f"{URI}/", URI.replace("ims", "IMS"), URI.replace("eu-de/", "EU-DE/")])
def test_a_uri_has_one_form(uri: str) -> None:
    assert Asset(uri).uri == URI


@pytest.mark.parametrize(
    "uri",
    [
        "ims://eu-de/golden",
        "ims://eu-de",
        "ims:///project/golden",
        "ims://eu-de/project/golden/more",
        "ims://eu-de//golden",
        "ims://eu-de:443/project/golden",
        "ims://user@eu-de/project/golden",
        "ims://eu-de/project/golden?x=1",
        "ims://eu-de/project/golden ubuntu",
    ],
)
def test_a_malformed_uri_is_refused_at_parsing(uri: str) -> None:
    with pytest.raises(ArgumentError, match=r"The asset's URI is .*: give ims://<region>/<project>/<family>"):
        Asset(uri)
