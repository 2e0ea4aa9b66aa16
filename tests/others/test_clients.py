"""OpenStack's own clients at the simulated cloud, with nothing but its address and a log-in."""

from __future__ import annotations

import pytest

from airflow_provider_ims.simulator.pytest_plugin import ImsSimulator
from airflow_provider_ims.simulator.seeds import numbered_image
from tests.others.clients import CLIENTS, visit
from tests.others.table import Seen

EACH = pytest.mark.parametrize("client", CLIENTS)
GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def auth(ims_simulator: ImsSimulator) -> dict[str, str]:
    cloud = ims_simulator.cloud.settings
    domain = {"user_domain_name": cloud.domain_name, "project_domain_name": cloud.domain_name}
    who = {"username": cloud.user_name, "password": cloud.password, "project_name": cloud.project_name}
    return {"auth_url": ims_simulator.url, **who, **domain}


@EACH
@pytest.mark.parametrize("path", ["", "/v3"])
def test_it_logs_in_and_finds_the_image_service(
    client: str, path: str, ims_simulator: ImsSimulator, auth: dict[str, str], seen: Seen
) -> None:
    logged_in, endpoint = visit(client, auth | {"auth_url": ims_simulator.url + path}, ("log_in",), ("endpoint",))
    assert logged_in == {"token": True, "project_id": ims_simulator.cloud.settings.project_id}
    assert endpoint in (ims_simulator.url, f"{ims_simulator.url}/v2/")
    assert ims_simulator.cloud.counters["log_ins_accepted"] == 1
    if path:
        came = "a token, and the project's id; with and without `/v3` in the address"
        seen.tell(client, "to log in", came)
        seen.tell(client, "where the image service is", f"`{endpoint.replace(ims_simulator.url, 'http://SIMULATOR')}`")


@EACH
def test_it_lists_all_images_and_pages(
    client: str, ims_simulator: ImsSimulator, auth: dict[str, str], seen: Seen
) -> None:
    there = [image["id"] for image in ims_simulator.cloud.images()]
    whole, paged, private = visit(
        client, auth, ("list",), ("list", {"limit": 4}), ("list", {"visibility": "private", "name": "source-007"})
    )
    assert sorted(image["id"] for image in whole) == sorted(there)
    assert [image["id"] for image in paged] == [image["id"] for image in whole]
    assert [image["id"] for image in private] == [numbered_image(7)]
    pages = sum(arrival.query.get("limit") == "4" for arrival in ims_simulator.cloud.requests("list"))
    seen.tell(
        client, "a list, whole, in pages of 4, and filtered", f"all {len(whole)} images; the same in {pages} pages; 1"
    )


@EACH
def test_it_gets_and_deletes_an_image(
    client: str, ims_simulator: ImsSimulator, auth: dict[str, str], seen: Seen
) -> None:
    image_id = numbered_image(3)
    image, _, again, missing = visit(
        client, auth, ("get", image_id), ("delete", image_id), ("get", image_id), ("get", GONE)
    )
    assert (image["id"], image["name"], image["status"], image["min_disk"]) == (image_id, "source-003", "active", 40)
    assert image_id not in {image["id"] for image in ims_simulator.cloud.images()}
    assert again["raised"] == missing["raised"] in ("NotFound", "NotFoundException")
    if client == "openstacksdk":
        assert f"No image found with ID {GONE}" in missing["says"]  # out of the HTML page
    seen.tell(client, "one image, then to delete it, then to get it again", f"the image; gone; `{again['raised']}`")


@EACH
def test_it_logs_in_again_after_a_revocation(
    client: str, ims_simulator: ImsSimulator, auth: dict[str, str], seen: Seen
) -> None:
    before, revoked, after = visit(client, auth, ("list",), ("revoke", ims_simulator.url), ("list",))
    assert revoked == {"revoked": 1}
    assert [image["id"] for image in after] == [image["id"] for image in before]
    log_ins = ims_simulator.cloud.counters["log_ins_accepted"]
    assert log_ins == 2
    seen.tell(client, "a list, its token having been revoked", f"{log_ins - 1} new log-in, and the same list")


@EACH
def test_it_tells_of_a_wrong_password(
    client: str, ims_simulator: ImsSimulator, auth: dict[str, str], seen: Seen
) -> None:
    (refused,) = visit(client, auth | {"password": "not-this-one"}, ("log_in",))
    assert refused["raised"] == "Unauthorized"
    assert "The username or password is wrong." in refused["says"]
    seen.tell(client, "to log in with a wrong password", f"`{refused['raised']}`: {refused['says'].partition(' (')[0]}")
