"""The tree of errors: it is what its drawing says, and survives whatever carries it from process to process."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_ims import errors
from airflow_provider_ims.auth import Conversation, Pause
from airflow_provider_ims.errors import ImsError, ImsPermanentError, ImsTransientError, ThrottledError
from airflow_provider_ims.models import Request, Response
from tests.world import LOOK, World, stop

FACTS = ("What happened. What to do.", 400, "IMG.0060", "req-1", 12.5)


def branches(root: type[ImsError]) -> list[type[ImsError]]:
    return [root, *(each for branch in root.__subclasses__() for each in branches(branch))]


TREE = branches(ImsError)


def test_the_drawing_shows_the_tree() -> None:
    drawn = re.findall(r"^( *[│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    parents: dict[int, str] = {}
    pairs = set()
    for indent, name in drawn:
        parents[len(indent)] = name
        above = [depth for depth in parents if depth < len(indent)]
        pairs.add((name, parents[max(above)] if above else None))
    assert pairs == {(each.__name__, each.__mro__[1].__name__ if each is not ImsError else None) for each in TREE}


def test_all_that_can_go_wrong_is_either_permanent_or_transient() -> None:
    for kind in set(TREE) - {ImsError}:
        assert issubclass(kind, ImsPermanentError) != issubclass(kind, ImsTransientError)


@pytest.mark.parametrize("kind", TREE)
@pytest.mark.parametrize("facts", [FACTS, ("Only words.",)])
def test_every_error_survives_pickling(kind: type[ImsError], facts: tuple[str]) -> None:
    error = kind(*facts)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(again), vars(again), str(again)) == (kind, vars(error), str(error))


@pytest.mark.parametrize("kind", TREE)
def test_every_error_survives_a_trigger_event(kind: type[ImsError]) -> None:
    error = kind(*FACTS)
    event = json.loads(json.dumps({"status": "error", "job_id": "j1", **error.to_event()}))
    again = ImsError.from_event(event)
    assert (type(again), vars(again)) == (kind, vars(error))


def test_an_error_that_this_version_does_not_know_is_still_one() -> None:
    again = ImsError.from_event({"error": "SomethingNewError", "args": ["Words."]})
    assert (type(again), str(again)) == (ImsError, "Words.")


def test_an_error_shows_what_the_clouds_support_asks_for() -> None:
    assert str(ImsError(*FACTS)) == "What happened. What to do. [HTTP 400, IMG.0060, request id req-1]"
    assert str(ImsError("Words.")) == "Words."


def test_another_kind_keeps_the_facts() -> None:
    error = ImsError(*FACTS).but(ThrottledError, "Other words.")
    assert (type(error), error.args) == (ThrottledError, ("Other words.", *FACTS[1:]))


def test_a_malformed_argument_is_a_value_error_too() -> None:
    assert issubclass(errors.ArgumentError, ValueError)


class Echo:
    """A server that refuses and repeats all that it was sent, in different forms."""

    FORMS: tuple[Callable[[str], str], ...] = (
        lambda said: f'{{"error": {{"code": "IMG.0001", "message": "{"x" * 390} {said}"}}}}',
        lambda said: f"<html><body>{said}</body></html>",
        lambda said: said,
    )

    def __init__(self, form: Callable[[str], str], route: str, status: int) -> None:
        self.form, self.route, self.status = form, route, status

    def reply(self, world: World, request: Request) -> Response:
        if ("/auth/" in request.url) != (self.route == "log_in"):
            return world.answer(request)
        said = request.headers.get("X-Auth-Token") or world.client.settings.credentials.secret
        return Response(self.status, {"X-Request-Id": said, "Location": f"/{said}"}, self.form(said).encode())


@pytest.mark.parametrize("form", Echo.FORMS)
@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 503])
@pytest.mark.parametrize("route", ["log_in", "image"])
def test_no_secret_is_in_any_error_even_if_the_server_repeats_it(
    form: Callable[[str], str], status: int, route: str
) -> None:
    world = World()
    echo, sent = Echo(form, route, status), list[Request]()
    with pytest.raises(ImsError) as refused:
        in_one(world, world.client.ask(LOOK), echo, sent)
    shown = str(refused.value) + repr(refused.value) + str(refused.value.to_event())
    token = sent[-1].headers.get("X-Auth-Token", "-" * 20)
    assert token[:20] not in shown
    assert world.client.settings.credentials.secret[:8] not in shown


def in_one(world: World, conversation: Conversation[Any], echo: Echo, sent: list[Request]) -> Any:
    step = stop(conversation)
    while isinstance(step, Request | Pause):
        if isinstance(step, Request):
            sent.append(step)
        step = stop(conversation, echo.reply(world, step) if isinstance(step, Request) else None)
    return step
