"""One Keystone and one Glance for all tests of this folder; an account in it, and a user for each test."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ims.simulator import Cloud, Settings, SimulatorThread
from airflow_provider_ims.simulator.cloud import Arrival
from tests.others.openstack import Glance, Keystone
from tests.others.table import Seen

OURS = "airflow-provider-ims/"
_SEEN = pytest.StashKey[Seen]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_SEEN] = Seen()


@pytest.fixture(scope="session")
def seen(pytestconfig: pytest.Config) -> Seen:
    """What has come of the questions so far."""
    return pytestconfig.stash[_SEEN]


@pytest.fixture(scope="session")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a SIGTERM stops the processes as well
    with Keystone(tmp_path_factory.mktemp("keystone")) as running_keystone:
        yield running_keystone
    signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True, slots=True)
class Account:
    """A domain with one project, ``eu-de``, and an image service in the catalog that can be moved."""

    keystone: Keystone
    domain_name: str
    domain_id: str
    project_id: str
    endpoint_id: str

    def lead_to(self, url: str) -> None:
        """Have the catalog say that the image service is there."""
        self.keystone.ask("PATCH", f"/endpoints/{self.endpoint_id}", {"endpoint": {"url": url}})


@pytest.fixture(scope="session")
def account(keystone: Keystone) -> Account:
    domain_id = keystone.create("domain", name="OTC-EU-DE-0001")
    project_id = keystone.create("project", name="eu-de", domain_id=domain_id)
    service = {"service_id": keystone.create("service", name="glance", type="image"), "interface": "public"}
    endpoint_id = keystone.create("endpoint", **service, region_id="eu-de", url="http://127.0.0.1:9")
    return Account(keystone, "OTC-EU-DE-0001", domain_id, project_id, endpoint_id)


@dataclass(frozen=True, slots=True)
class User:
    """A user who may use the project, and the Airflow connection of it."""

    account: Account
    user_id: str
    name: str
    password: str
    environment: pytest.MonkeyPatch
    before: int

    def connect(self, **changes: Any) -> dict[str, Any]:
        """Have ``ims_default`` be this user's connection, changed so; fields of ``extra`` go there. Returns it."""
        extra = {"iam_endpoint": f"{self.account.keystone.url}/v3", "region": "eu-de"}
        fields = {"conn_type": "ims", "login": self.name, "password": self.password}
        fields |= {key: changes.pop(key) for key in ("host", "password") if key in changes}
        connection = fields | {"extra": extra | {"domain_name": self.account.domain_name} | changes}
        self.environment.setenv("AIRFLOW_CONN_IMS_DEFAULT", json.dumps(connection))
        return connection

    def token(self) -> str:
        """A token of this user, for what is not the provider's business."""
        return self.account.keystone.log_in(self.account.domain_name, self.name, "eu-de", self.password)

    @property
    def auth(self) -> dict[str, str]:
        """The log-in as OpenStack's clients are told it."""
        domain = {"user_domain_name": self.account.domain_name, "project_domain_name": self.account.domain_name}
        who = {"username": self.name, "password": self.password, "project_name": "eu-de"}
        return {"auth_url": self.account.keystone.url, **who, **domain}

    @property
    def log_ins(self) -> int:
        """How often the provider has tried to log in at Keystone in this test."""
        return _log_ins(self.account.keystone) - self.before

    def disable(self) -> None:
        """Let the user be no longer welcome."""
        self.account.keystone.ask("PATCH", f"/users/{self.user_id}", {"user": {"enabled": False}})


def _log_ins(keystone: Keystone) -> int:
    return keystone.asked(f"POST /v3/auth/tokens {OURS}")


@pytest.fixture
def user(account: Account, airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> User:
    """A user of this test's own; ``ims_default`` finds IMS in the catalog."""
    name, password = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    user_id = account.keystone.create("user", name=name, password=password, domain_id=account.domain_id)
    account.keystone.grant(account.project_id, user_id, "member")
    made = User(account, user_id, name, password, monkeypatch, _log_ins(account.keystone))
    made.connect()
    return made


class Ims(SimulatorThread):
    """The simulated IMS, which takes Keystone's tokens."""

    def when_first_looked_at(self, act: Callable[[str], object]) -> None:
        """At the first look at a job, before its answer leaves, do this with the token that came."""
        waiting = [act]

        def note(arrival: Arrival) -> None:
            if arrival.route == "job" and waiting:
                waiting.pop()(arrival.headers["x-auth-token"])

        self.cloud.on_arrival = note


@contextmanager
def ims_of(account: Account, **settings: Any) -> Iterator[Ims]:
    """Within, the catalog leads to a simulated IMS with these settings."""
    asks = {"iam_url": account.keystone.url, "project_id": account.project_id}
    server = Ims(Cloud(Settings(**asks | settings)))
    server.start()
    try:
        account.lead_to(server.url)
        yield server
    finally:
        server.stop()


@pytest.fixture
def ims(account: Account) -> Iterator[Ims]:
    """One whose copies take two seconds."""
    with ims_of(account, copy_seconds=2.0) as server:
        yield server


@pytest.fixture(scope="session")
def glance(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glance]:
    with Glance(tmp_path_factory.mktemp("glance"), keystone) as running_glance:
        yield running_glance
