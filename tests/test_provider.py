"""What Airflow is told of the provider, held against the schemas that Airflow ships; and what importing it costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.resources import files
from typing import Any

import jsonschema
import pytest

import airflow_provider_ims
from airflow_provider_ims.settings import KNOWN_KEYS

INFO = airflow_provider_ims.get_provider_info()
(CONNECTION_TYPE,) = INFO["connection-types"]


def schema(name: str) -> Any:
    return json.loads(files("airflow").joinpath(name).read_text())


def test_it_fits_the_schema_of_provider_info() -> None:
    jsonschema.validate(INFO, schema("provider_info.schema.json"))


@pytest.mark.newest
def test_the_connection_form_fits_the_schema_that_describes_it() -> None:
    jsonschema.validate(INFO["connection-types"], schema("provider.yaml.schema.json")["properties"]["connection-types"])


def test_the_form_has_a_field_for_each_key_that_is_read() -> None:
    assert set(CONNECTION_TYPE["conn-fields"]) == set(KNOWN_KEYS)


def test_each_field_of_the_form_says_what_happens_without_it() -> None:
    for name, field in CONNECTION_TYPE["conn-fields"].items():
        assert field["label"], name
        assert any(word in field["description"] for word in ("Default: ", "Required")), name
        assert "null" in field["schema"]["type"], name


def test_the_form_admits_regions_that_it_does_not_list() -> None:
    schema = CONNECTION_TYPE["conn-fields"]["region"]["schema"]
    assert {"eu-de", "eu-nl", "eu-ch2"} < set(schema["examples"])
    assert "enum" not in schema


def test_every_module_and_class_that_it_names_is_there() -> None:
    for kind in ("hooks", "operators", "sensors", "triggers"):
        for module in INFO[kind][0]["python-modules"]:
            importlib.import_module(module)
    module, _, name = CONNECTION_TYPE["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (CONNECTION_TYPE["connection-type"], CONNECTION_TYPE["hook-name"])
    assert (hook.conn_name_attr, hook.default_conn_name) == ("ims_conn_id", "ims_default")


def test_airflow_finds_it_by_its_entry_point() -> None:
    (entry,) = (each for each in entry_points(group="apache_airflow_provider") if "ims" in each.value)
    assert entry.load()() == INFO


@pytest.mark.parametrize("module", ["operators", "sensors", "triggers"])
def test_parsing_a_dag_imports_no_http_library(module: str) -> None:
    code = (
        "import sys, airflow.sdk, airflow.triggers.base; before = set(sys.modules);"
        f"import airflow_provider_ims.{module}; print(*set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own line
    ours = set(done.stdout.splitlines()[-1].split())
    assert f"airflow_provider_ims.{module}" in ours
    assert not {name.partition(".")[0] for name in ours} & {"requests", "aiohttp", "cryptography", "urllib3"}
