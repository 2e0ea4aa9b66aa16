"""The example DAGs: each can be read, stored and rendered, also in a run without a logical date."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowSkipException
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_ims.arguments import check_copy
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE

FILES = sorted((Path(__file__).parent.parent / "dags").glob("*.py"))


def dag_in(file: Path) -> DAG:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dag = module.dag
    assert isinstance(dag, DAG)
    return dag


STORIES = "announce_golden_image copy_image_by_hand encrypt_new_images nightly_golden_image reencrypt_images"


def test_all_stories_are_told() -> None:
    assert [file.stem for file in FILES] == STORIES.split()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_named_after_its_file_documented_and_can_be_stored(file: Path) -> None:
    dag = dag_in(file)
    stored = DagSerialization.to_dict(dag)
    assert dag.dag_id == file.stem
    assert dag.doc_md
    assert {task["__var"]["task_id"] for task in stored["dag"]["tasks"]} == set(dag.task_ids)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_renders_in_a_run_without_a_logical_date(file: Path) -> None:
    dag = dag_in(file)
    run = SimpleNamespace(run_after=datetime(2026, 1, 31, 23, tzinfo=UTC), logical_date=None)
    params = {name: param.value if hasattr(param, "value") else param for name, param in dict(dag.params).items()}
    for task in dag.tasks:
        fields = task.partial_kwargs if isinstance(task, MappedOperator) else vars(task)
        templates = {name: fields[name] for name in task.template_fields if isinstance(fields.get(name), str)}
        rendered = {
            name: dag.get_template_env().from_string(text).render(params=params, dag_run=run)
            for name, text in templates.items()
        }
        if "image_id" in rendered:
            check_copy(rendered["image_id"], rendered["name"], rendered["description"])
        assert "{{" not in str(rendered)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_is_one_screen_and_uses_no_date_that_a_manual_run_lacks(file: Path) -> None:
    text = file.read_text()
    assert len(text.splitlines()) <= 90
    assert not re.search(r"\{\{ *(ds|ts|logical_date|data_interval)", text)


def test_mapped_copies_run_in_the_pool_and_wait() -> None:
    (task,) = (task for task in dag_in(FILES[-1]).tasks if isinstance(task, MappedOperator))
    kwargs: dict[str, Any] = task.partial_kwargs
    assert (task.pool, kwargs["wait_for_completion"]) == ("ims_copies", True)


def test_what_one_makes_another_is_scheduled_on() -> None:
    dags = {file.stem: dag_in(file) for file in FILES}
    (made,) = dags["nightly_golden_image"].get_task("wait_for_copy").outlets
    assert isinstance(made, Asset)
    assert [asset.uri for asset in assets_of(dags["announce_golden_image"])] == [made.uri]


def test_a_copy_is_not_taken_for_a_new_image() -> None:
    dag = dag_in(FILES[2])
    (watcher,) = (watcher for asset in assets_of(dag) for watcher in asset.watchers)
    events = {"an asset": [SimpleNamespace(extra={"payload": {"image_id": PLAIN_IMAGE}})] * 2}
    (copy,) = cast(Any, dag.get_task("plan")).python_callable(triggering_asset_events=events)
    check_copy(copy["image_id"], copy["name"], None)
    assert copy["copy_key"] == PLAIN_IMAGE
    assert watcher.trigger.filter.matches("golden-source-ubuntu")
    assert not watcher.trigger.filter.matches(copy["name"])


def test_an_event_made_by_hand_tells_of_no_image() -> None:
    dags = {file.stem: dag_in(file) for file in FILES}
    events = {"an asset": [SimpleNamespace(extra={"from_rest_api": True}, timestamp=datetime.now(UTC))]}
    assert cast(Any, dags["encrypt_new_images"].get_task("plan")).python_callable(triggering_asset_events=events) == []
    for found in (events, {}):
        with pytest.raises(AirflowSkipException):
            cast(Any, dags["announce_golden_image"].get_task("announce")).python_callable(triggering_asset_events=found)


def assets_of(dag: DAG) -> list[Any]:
    """The assets that it is scheduled on."""
    return list(cast(Any, dag.timetable.asset_condition).objects)
