"""The README's examples run as they stand there, and its tables tell the truth."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims import errors
from airflow_provider_ims.hooks.asynchronous import ImsAsyncHook
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.hooks.synchronous import ImsHook
from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor
from airflow_provider_ims.settings import KNOWN_KEYS
from airflow_provider_ims.triggers import ImageTrigger, JobTrigger

README = (Path(__file__).parent.parent / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.strip().splitlines()[-1].strip()[:40])
def test_an_example_can_be_run(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {"__name__": "example"})  # noqa: S102 - our own README


def table_after(heading: str) -> dict[str, list[str]]:
    """The first table below a heading: the cells of each row by its first one, without backticks."""
    rows = re.findall(r"^\| (.+) \|$", README.split(f"{heading}\n", 1)[1].split("\n#", 1)[0], re.MULTILINE)
    cells = [[cell.strip().replace("`", "") for cell in row.split(" | ")] for row in rows]
    return {first: rest for first, *rest in cells}


def kinds(parameter: inspect.Parameter) -> set[str]:
    """The types that a user writes for it."""
    return set(str(parameter.annotation).split(" | ")) - {"None", "XComArg"}


@pytest.mark.parametrize(
    ("heading", "kind"),
    [("### CopyImageOperator", CopyImageOperator), ("### JobSensor", JobSensor), ("### ImageTrigger", ImageTrigger)],
)
def test_the_table_of_arguments_is_that_of_the_class(heading: str, kind: Any) -> None:
    rows = {name: cells for name, cells in table_after(heading).items() if name not in ("argument", "---")}
    documented = {name: cells[-1] for name, cells in rows.items()}
    parameters = {
        name: each
        for name, each in inspect.signature(kind.__init__).parameters.items()
        if name not in ("self", "kwargs")
    }
    assert list(documented) == sorted(parameters, key=list(documented).index)
    for name, each in parameters.items():
        kind_of, _, unit = rows[name][0].partition(", ")
        assert set(kind_of.split(" or ")) == kinds(each), name
        assert unit == ("seconds" if kind_of == "float" else ""), name
        if each.default not in (inspect.Parameter.empty, None):
            assert documented[name] == str(each.default), name


def test_the_table_of_the_hooks_calls_is_that_of_the_classes() -> None:
    rows = {name: cells for name, cells in table_after("### ImsHook, ImsAsyncHook").items() if cells[0] != "---"}
    del rows["call"]
    for name, (arguments, _, in_both) in rows.items():
        method = "__init__" if name == "the hook itself" else name
        documented = re.findall(r"(\w+): (\w+)(?: = (\w+(?:\.\d)?))?", arguments)
        assert documented == signature(ImsHook, method), name
        if in_both == "yes":
            assert documented == signature(ImsAsyncHook, method), name
        else:
            assert not hasattr(ImsAsyncHook, method), name
    own = {name for name in (*vars(ImsBaseHook), *vars(ImsHook)) if callable(getattr(ImsHook, name)) and name[0] != "_"}
    assert own - set(rows) == {"check", "check_response", "close", "get_conn", "perform", "send", "sleep"}


def signature(kind: type, method: str) -> list[tuple[str, str, str]]:
    """Name, type and default of each argument."""
    parameters = [*inspect.signature(getattr(kind, method)).parameters.values()][1:]
    defaults = ("" if each.default is inspect.Parameter.empty else str(each.default) for each in parameters)
    return [(each.name, " ".join(kinds(each)), default) for each, default in zip(parameters, defaults, strict=True)]


@pytest.mark.parametrize("kind", [CopyImageOperator, JobSensor, ImsHook, ImsAsyncHook, JobTrigger])
def test_the_api_documentation_has_every_argument(kind: type) -> None:
    documented = re.findall(r":param (\w+):", inspect.getdoc(kind) or "")
    assert documented == list(dict.fromkeys(documented))
    assert set(documented) == {name for name, *_ in signature(kind, "__init__") if name != "kwargs"}


def test_the_table_of_errors_has_every_kind_that_is_raised() -> None:
    documented = table_after("## When something goes wrong")
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ImsError)}
    raised = kinds - {errors.ImsError, errors.ImsPermanentError, errors.ImsTransientError}
    assert {kind.__name__ for kind in raised} == set(documented) - {"error", "---"}
    for kind in raised:
        assert documented[kind.__name__][0] == ("yes" if issubclass(kind, errors.ImsPermanentError) else "no")


def test_the_table_of_the_connection_has_every_key_of_extra() -> None:
    assert set(KNOWN_KEYS) < set(table_after("## In your own Airflow"))


def test_others_software_was_asked_in_the_versions_of_the_lock() -> None:
    """The rest of that table is checked by `make test-others`."""
    root = Path(__file__).parent
    asked = dict(re.findall(r"^\| (\w+) ([\d.]+) was asked", (root / "OTHERS.md").read_text(), re.MULTILINE))
    locked = re.findall(r"^([\w-]+)==([\d.]+)", (root.parent / "requirements-openstack.lock").read_text(), re.MULTILINE)
    assert set(asked) == {"keystone", "glance", "keystoneauth1", "openstacksdk"}
    assert asked.items() <= dict(locked).items()
