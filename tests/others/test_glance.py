"""A real Glance as the native image API: what the provider makes of it, and whether the simulated one is like it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest
import requests

from airflow_provider_ims import protocol
from airflow_provider_ims.errors import ImsError, NotFoundError, RefusedError
from airflow_provider_ims.hooks import ImsHook
from tests.others.clients import visit
from tests.others.conftest import Account, Ims, User
from tests.others.openstack import Glance, Keystone
from tests.others.table import Seen
from tests.shells import Ask, ask_in_thread, ask_on_loop

BOTH = pytest.mark.parametrize("ask", [ask_in_thread, ask_on_loop], ids=["thread", "loop"])
GONE = "00000000-0000-4000-8000-000000000000"
SIX = [f"image-{number}" for number in range(6)]


@pytest.fixture
def image_id(glance: Glance, user: User) -> str:
    """An active image in Glance, to which the user's connection leads."""
    user.connect(host=glance.url)
    return glance.add_image(user.token(), "golden", min_disk=40, visibility="private")


def refusal_in(error: ImsError) -> str:
    words = error.message.partition("the cloud said: ")[2]
    return f'`{type(error).__name__}` (HTTP {error.status}), out of an HTML page: "{words.replace(GONE, "ID")}"'


@BOTH
def test_get_and_delete(ask: Ask[Any], glance: Glance, image_id: str, user: User, seen: Seen) -> None:
    image = ask(partial(protocol.get_image, image_id=image_id))
    assert (image.id, image.name, image.status) == (image_id, "golden", "active")
    ask(partial(protocol.delete_image, image_id=image_id))
    with pytest.raises(NotFoundError, match=f"No image found with ID {image_id}") as gone:
        ask(partial(protocol.get_image, image_id=image_id))
    assert "<" not in str(gone.value)
    assert user.log_ins == 1
    if ask is ask_on_loop:
        seen.tell("glance", "`get_image`, then `delete_image`", f"the image, {image.status}; it is gone")


@BOTH
def test_what_is_not_there(ask: Ask[Any], image_id: str, seen: Seen) -> None:
    for asked, call in {"get_image": protocol.get_image, "delete_image": protocol.delete_image}.items():
        with pytest.raises(NotFoundError) as missing:
            ask(partial(call, image_id=GONE))  # type: ignore[arg-type]
        assert GONE in missing.value.message
        assert "<" not in str(missing.value)
        assert (missing.value.request_id or "").startswith("req-")
        if ask is ask_on_loop:
            seen.tell("glance", f"`{asked}` of an image that is not there", refusal_in(missing.value))


@BOTH
def test_a_protected_image(ask: Ask[Any], glance: Glance, image_id: str, user: User, seen: Seen) -> None:
    kept = glance.add_image(user.token(), "kept", protected=True)
    with pytest.raises(RefusedError, match="The image is protected: set its `protected` to false first") as refused:
        ask(partial(protocol.delete_image, image_id=kept))
    assert "<" not in str(refused.value)
    assert ask(partial(protocol.get_image, image_id=kept)).status == "active"
    if ask is ask_on_loop:
        seen.tell("glance", "`delete_image` of a protected one", refusal_in(refused.value).replace(kept, "ID"))


def test_an_image_without_content(glance: Glance, image_id: str, user: User, seen: Seen) -> None:
    empty = glance.add_image(user.token(), "empty", content=b"")
    with ImsHook() as hook:
        image = hook.get_image(empty)
    assert (image.status, image.is_active) == ("queued", False)
    seen.tell("glance", "`get_image` of an image without content", f"{image.status}, which is not usable")


def test_a_revoked_token_is_renewed(keystone: Keystone, image_id: str, user: User, seen: Seen) -> None:
    with ImsHook() as hook:
        hook.get_image(image_id)
        keystone.revoke(hook.perform(hook.client.token()).value)
        assert hook.get_image(image_id).id == image_id
    assert user.log_ins == 2
    seen.tell("glance", "`get_image` with a token that was revoked", f"{user.log_ins - 1} new log-in, and the image")


@pytest.fixture
def six(glance: Glance, user: User) -> list[str]:
    """Images in Glance, and no others."""
    api = glance.api(user.token())
    for image in api.ask("GET", "/v2/images")["images"]:
        patch = json.dumps([{"op": "replace", "path": "/protected", "value": False}])
        media = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        api.ask("PATCH", f"/v2/images/{image['id']}", data=patch, headers=media)
        api.ask("DELETE", f"/v2/images/{image['id']}")
    more: dict[str, Any] = {"min_disk": 40, "min_ram": 0, "visibility": "private", "tags": ["nightly"]}
    return [glance.add_image(user.token(), name, **more) for name in SIX]


def test_its_list_and_the_simulated_one_are_read_alike(
    glance: Glance, six: list[str], user: User, ims: Ims, account: Account, seen: Seen
) -> None:
    questions = [("list", {}), ("list", {"limit": 4}), ("list", {"name": SIX[2]}), ("list", {"visibility": "private"})]
    ims.cloud.state.images.clear()
    for name in SIX:
        ims.cloud.add_image(name, tags=("nightly",))
    simulated = visit("openstacksdk", user.auth, *questions)
    account.lead_to(glance.url)
    real = visit("openstacksdk", user.auth, *questions)
    assert {image["id"] for image in real[0]} == set(six)
    for ours, theirs in zip(simulated, real, strict=True):
        assert sorted(image["name"] for image in ours) == sorted(image["name"] for image in theirs)
    assert [[image["id"] for image in whole] for whole in (real[1], simulated[1])] == [
        [image["id"] for image in whole] for whole in (real[0], simulated[0])
    ]
    ours, theirs = kinds(simulated[0]), kinds(real[0])
    differing = {key: (ours[key], theirs[key]) for key in ours.keys() & theirs.keys() if ours[key] != theirs[key]}
    assert differing == {}
    common = len(ours.keys() & theirs.keys())
    came = f"the same {len(SIX)} images whole, paged and filtered; {common} attributes, of the same types"
    seen.tell("openstacksdk", "the list of the simulated IMS and that of Glance, with the same images in them", came)
    only = ", ".join(f"`{key}`" for key in sorted(theirs.keys() - ours.keys())) or "none"
    seen.tell("openstacksdk", "what Glance's list alone has", only)


def kinds(images: list[Mapping[str, Any]]) -> dict[str, str]:
    """The type of each attribute that an image has."""
    return {key: type(value).__name__ for key, value in images[0].items() if value is not None}


STRANGE = {
    "an unknown image": f"/{GONE}",
    "a limit that is no number": "?limit=x",
    "a marker that is no image": f"?marker={GONE}",
    "an unknown order": "?sort_dir=sideways",
}


@pytest.mark.parametrize("asked", STRANGE)
def test_strange_questions_are_refused_by_both(asked: str, glance: Glance, user: User, ims: Ims, seen: Seen) -> None:
    headers = {"X-Auth-Token": user.token()}
    answers = [requests.get(f"{at.url}/v2/images{STRANGE[asked]}", headers=headers, timeout=30) for at in (glance, ims)]
    real, simulated = ((answer.status_code, answer.headers["Content-Type"].split(";")[0]) for answer in answers)
    assert {real[0] // 100, simulated[0] // 100} == {4}
    came = f"HTTP {real[0]}, `{real[1]}`; simulated: " + (
        "the same" if real == simulated else f"{simulated[0]}, `{simulated[1]}`"
    )
    seen.tell("glance", f"its list, with {asked}" if "?" in STRANGE[asked] else asked, came)
