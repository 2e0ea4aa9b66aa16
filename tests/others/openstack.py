"""OpenStack's own Keystone and Glance on loopback: from PyPI, on SQLite, in processes of ``.venv-openstack``."""

from __future__ import annotations

import getpass
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import requests

from tests.real.processes import Part, free_port, pause, stop
from tests.real.rest import Service
from tests.real.stack import PROJECT

VENV = PROJECT / ".venv-openstack"
WITHIN = Path(__file__).parent / "within"
"""What runs with that Python, not with Airflow's."""

READY_WITHIN = 120.0
ADMIN = ("Default", "admin", "admin")
"""Domain, user and project of who may do everything."""


class _Served:
    """One service: its processes, and the folder with all that it keeps."""

    name: ClassVar[str]
    config: ClassVar[str]
    text: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._parts: list[Part] = []

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop(self._parts)

    def check(self) -> None:
        """Raise ``StackError`` where it has ended by itself."""
        for part in self._parts:
            part.check()

    def asked(self, what: str) -> int:
        """How many requests it has seen whose method, path and user agent begin like this."""
        return sum(line.startswith(f"asked {what}") for line in (self.folder / "output.log").read_text().splitlines())

    def _configure(self, **values: object) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / self.config).write_text(self.text.format(folder=self.folder, **values))

    def _manage(self, *arguments: str, **env: str) -> None:
        command = (str(VENV / "bin" / f"{self.name}-manage"), "--config-file", str(self.folder / self.config))
        self._begin(*command, *arguments, **env).wait(READY_WITHIN)
        self._parts.pop()

    def _serve(self) -> None:
        port = self.url.rpartition(":")[2]
        part = self._begin(str(VENV / "bin" / "python"), str(WITHIN / "serve.py"), self.name, port)
        while not _answers(self.url):
            part.check()
            pause(0.2)

    def _begin(self, *command: str, **env: str) -> Part:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "AIRFLOW"))}
        kept |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        env = kept | {f"OS_{self.name.upper()}_CONFIG_DIR": str(self.folder)} | env
        part = Part(self.name, command, env, self.folder / "output.log")
        self._parts.append(part)
        return part


class Keystone(_Served):
    """IAM. ``lifetime``: seconds that its tokens live; ``like``: another one, whose users and tokens it shares."""

    name = "keystone"
    config = "keystone.conf"
    text = """
[DEFAULT]
log_dir = {folder}
[database]
connection = sqlite:///{shared}/keystone.db
[token]
expiration = {lifetime}
[fernet_tokens]
key_repository = {shared}/fernet-keys
[fernet_receipts]
key_repository = {shared}/fernet-keys
[identity]
password_hash_rounds = 4
"""

    def __init__(self, folder: Path, lifetime: int = 3600, like: Keystone | None = None) -> None:
        super().__init__(folder)
        self._like, self._lifetime = like, lifetime
        self._password = secrets.token_urlsafe(12)
        self._api = Service(self.url, self.check)

    def __enter__(self) -> Self:
        self._configure(shared=self._like.folder if self._like else self.folder, lifetime=self._lifetime)
        if self._like is None:
            me = getpass.getuser()
            self._manage("db_sync")
            self._manage("fernet_setup", "--keystone-user", me, "--keystone-group", me)
            urls = (f"--bootstrap-{kind}-url={self.url}/v3" for kind in ("public", "internal", "admin"))
            self._manage("bootstrap", "--bootstrap-region-id=eu-de", *urls, OS_BOOTSTRAP_PASSWORD=self._password)
        self._serve()
        return self

    def create(self, kind: str, **fields: object) -> str:
        """Make one of ``domain``, ``project``, ``user``, ``service``, ``endpoint``; returns its id."""
        return str(self.ask("POST", f"/{kind}s", {kind: fields})[kind]["id"])

    def grant(self, project_id: str, user_id: str, role: str) -> None:
        """Let a user do in a project what the role may."""
        (found,) = self.ask("GET", f"/roles?name={role}")["roles"]
        self.ask("PUT", f"/projects/{project_id}/users/{user_id}/roles/{found['id']}")

    def ask(self, method: str, path: str, document: object = None, **headers: str) -> Any:
        """One request of the administrator below ``/v3``."""
        token = self.log_in(*ADMIN, self._password)
        return self._api.ask(method, f"/v3{path}", json=document, headers={"X-Auth-Token": token, **headers})

    def revoke(self, token: str) -> None:
        """Have a token hold no more."""
        self.ask("DELETE", "/auth/tokens", **{"X-Subject-Token": token})

    def show_token(self, token: str) -> requests.Response:
        """What it answers to a token that asks about itself."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        return self._api.session.get(f"{self.url}/v3/auth/tokens", headers=headers, timeout=30)

    def log_in(self, domain: str, user: str, project: str, password: str) -> str:
        """A token, asked for without the provider."""
        scope = {"project": {"name": project, "domain": {"name": domain}}}
        answer = self.try_log_in(scope, {"name": user, "password": password, "domain": {"name": domain}})
        answer.raise_for_status()
        return answer.headers["X-Subject-Token"]

    def try_log_in(self, scope: object, who: object) -> requests.Response:
        """What it answers to a log-in."""
        document = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}, "scope": scope}}
        return self._api.session.post(f"{self.url}/v3/auth/tokens", json=document, timeout=30)


class Glance(_Served):
    """The native image API, which asks a Keystone who comes."""

    name = "glance"
    config = "glance-api.conf"
    text = """
[DEFAULT]
enabled_backends = disk:file
log_dir = {folder}
[database]
connection = sqlite:///{folder}/glance.db
[glance_store]
default_backend = disk
[disk]
filesystem_store_datadir = {folder}/images
[os_glance_staging_store]
filesystem_store_datadir = {folder}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {folder}/tasks
[paste_deploy]
flavor = keystone
config_file = {paste}
[keystone_authtoken]
www_authenticate_uri = {iam_url}
auth_url = {iam_url}
auth_type = password
username = glance
password = {password}
user_domain_name = Default
project_name = admin
project_domain_name = Default
token_cache_time = -1
"""

    def __init__(self, folder: Path, keystone: Keystone) -> None:
        super().__init__(folder)
        self._keystone = keystone

    def __enter__(self) -> Self:
        password = secrets.token_urlsafe(12)
        user = self._keystone.create("user", name="glance", password=password, domain_id="default")
        (admin,) = self._keystone.ask("GET", "/projects?name=admin")["projects"]
        self._keystone.grant(admin["id"], user, "service")
        paste = VENV / "etc" / "glance" / "glance-api-paste.ini"
        self._configure(paste=paste, iam_url=self._keystone.url, password=password)
        self._manage("db_sync")
        self._serve()
        return self

    def api(self, token: str) -> Service:
        """What the owner of the token may ask."""
        api = Service(self.url, self.check)
        api.session.headers["X-Auth-Token"] = token
        return api

    def add_image(self, token: str, name: str, content: bytes = b"an image", **fields: object) -> str:
        """Make an image, active where it has content; returns its id."""
        api = self.api(token)
        document = {"name": name, "disk_format": "raw", "container_format": "bare", **fields}
        image_id = str(api.ask("POST", "/v2/images", json=document)["id"])
        if content:
            api.ask("PUT", f"/v2/images/{image_id}/file", data=content, headers={"Content-Type": OCTETS})
        return image_id


OCTETS = "application/octet-stream"


def _answers(url: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(url, timeout=30).status_code == 300
    except requests.ConnectionError:
        return False
