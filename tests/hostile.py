"""What a hostile cloud may answer, and what a client may make of it: a valid value or one of our errors, soon."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from airflow_provider_ims import protocol
from airflow_provider_ims.auth import Conversation, Pause
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.errors import ConnectError, ImsError
from airflow_provider_ims.idempotency import Order
from airflow_provider_ims.listing import own_images
from airflow_provider_ims.models import Image, Request, Response
from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from airflow_provider_ims.transport import repeated
from airflow_provider_ims.waiting import Watch
from airflow_provider_ims.watching import ImageFilter, Told, told_of
from tests.tries import Notebook
from tests.world import WAYS, World

MOST_STEPS = 500
LONGEST_ERROR = 3_000


def _watch(world: World) -> Conversation[Any]:
    watch = Watch(world.client, "j1", 10.0, world.now + timedelta(minutes=2), _order())
    return (yield from watch.wait())


def _order() -> Order:
    return Order("key", PLAIN_IMAGE, "copy", "text")


def _copy(world: World) -> Conversation[str]:
    submission = Submission(world.client, _order(), Notebook(world), may_follow=True, grace=10.0)
    noted = {"key": "key", "image_id": PLAIN_IMAGE, "attempt": 0, "failed_at": None, "sent": True, "job_id": "j1"}
    return (yield from submission.submit(noted))


def _news(world: World) -> Conversation[list[Any]]:
    images = yield from ImageFilter(image_type="private").look(world.client)
    return [json.dumps(told_of(image)) for image in Told({}).news(images)]


def _own(world: World) -> Conversation[list[Image]]:
    return (yield from own_images(world.client))[0]


def _asked(make: Callable[..., Any], world: World) -> Conversation[Any]:
    return (yield from world.client.ask(make))


def _logged_in(auth: str, world: World) -> Conversation[Any]:
    client = world.another_client(auth=auth)
    return (yield from client.ask(partial(protocol.get_image, image_id="i1")))


def _pages(world: World) -> Conversation[None]:
    marker = None
    for _ in range(3):
        page = yield from world.client.ask(partial(protocol.list_images, filters={}, marker=marker))
        marker = page[-1].id if page else None


CONVERSATIONS: dict[str, Callable[[World], Conversation[Any]]] = {
    "log in": lambda world: world.client.token(),
    **{f"log in by {auth}": partial(_logged_in, auth) for auth in WAYS},
    "copy alone": partial(_asked, partial(protocol.copy_image, image_id=PLAIN_IMAGE, name="copy")),
    "job": partial(_asked, partial(protocol.get_job, job_id="j1")),
    "job by image": partial(_asked, partial(protocol.get_job, job_id="image:i1")),
    "image": partial(_asked, partial(protocol.get_image, image_id="i1")),
    "pages": _pages,
    "quota": partial(_asked, protocol.show_quota),
    "delete": partial(_asked, partial(protocol.delete_image, image_id="i1")),
    "own images": _own,
    "news": _news,
    "wait": _watch,
    "copy": _copy,
    "repeated": lambda world: repeated(Request("GET", "https://ims.invalid"), 600.0),
}


def converse(name: str, answers: Iterable[Response]) -> object:
    """Carry a conversation out with a cloud that says these things, one after the other, and is not there any more.

    Returns the value or the ``ImsError``; fails where it ends in anything else, or not at all. All but those that
    ``log in`` have logged in before.
    """
    world = World()
    if not name.startswith("log in"):
        world.perform(world.client.token())
    left = iter(answers)
    conversation = CONVERSATIONS[name](world)
    try:
        reply: Any = None
        problem: ImsError | None = None
        for _ in range(MOST_STEPS):
            step = conversation.throw(problem) if problem else conversation.send(reply)
            reply = problem = None
            try:
                reply = _answered(world, step, left)
            except ImsError as error:
                problem = error
        raise AssertionError(f"{name} has not ended after {MOST_STEPS} steps")
    except StopIteration as end:
        return end.value
    except ImsError as error:
        check_error(error)
        return error
    finally:
        conversation.close()


def _answered(world: World, step: Any, left: Any) -> Any:
    match step:
        case Request():
            str(step.as_sent().url).encode()
            for answer in left:
                return answer
            raise ConnectError("No connection.")
        case Pause():
            assert 0 <= step.seconds <= 90_000
            return world.wait(step.seconds)
        case _:
            return step()


def check_error(error: ImsError) -> None:
    """An error must fit into a log, into an event, and on a page."""
    assert len(str(error)) < LONGEST_ERROR, str(error)[:200]
    str(error).encode()
    ImsError.from_event(json.loads(json.dumps(error.to_event())))
