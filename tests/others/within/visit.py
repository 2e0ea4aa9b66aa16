"""Visit a cloud with keystoneauth1 or openstacksdk: steps come in as JSON, what came of each goes out as JSON.

Run by the Python of ``.venv-openstack``: ``{"client", "auth", "region", "steps": [[name, argument, ...], ...]}``. A
step that raises comes to ``{"raised", "says"}``.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

import openstack
from keystoneauth1 import session
from keystoneauth1.identity import Password


class Keystoneauth1:
    """Steps as somebody writes them who only knows sessions."""

    def __init__(self, auth: dict[str, str], region: str) -> None:
        self._session = session.Session(auth=Password(**auth))
        self._at = {"service_type": "image", "region_name": region, "interface": "public"}

    def log_in(self) -> Any:
        return {"token": bool(self._session.get_token()), "project_id": self._session.get_project_id()}

    def endpoint(self) -> Any:
        return self._session.get_endpoint(**self._at)

    def list(self, **query: Any) -> Any:
        found, path = [], "/v2/images"
        while path:
            page = self._session.get(path, params=query, endpoint_filter=self._at).json()
            found += page["images"]
            path, query = page.get("next"), {}
        return found

    def get(self, image_id: str) -> Any:
        return self._session.get(f"/v2/images/{image_id}", endpoint_filter=self._at).json()

    def delete(self, image_id: str) -> Any:
        return self._session.delete(f"/v2/images/{image_id}", endpoint_filter=self._at).status_code


class Openstacksdk:
    """The same steps, as its image proxy has them."""

    def __init__(self, auth: dict[str, str], region: str) -> None:
        self._cloud = openstack.connect(auth=auth, region_name=region, load_yaml_config=False, load_envvars=False)

    def log_in(self) -> Any:
        return {"token": bool(self._cloud.session.get_token()), "project_id": self._cloud.current_project_id}

    def endpoint(self) -> Any:
        return self._cloud.image.get_endpoint()

    def list(self, **query: Any) -> Any:
        return [image.to_dict(computed=False) for image in self._cloud.image.images(**query)]

    def get(self, image_id: str) -> Any:
        return self._cloud.image.get_image(image_id).to_dict(computed=False)

    def delete(self, image_id: str) -> Any:
        return self._cloud.image.delete_image(image_id, ignore_missing=False)


def revoke(simulator: str) -> Any:
    """Have the simulated cloud revoke every token."""
    request = urllib.request.Request(f"{simulator}/_simulator/tokens/revoke", b"{}", method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def carry_out(client: object, name: str, *arguments: Any) -> Any:
    try:
        if name == "revoke":
            return revoke(*arguments)
        if name == "list":
            return client.list(**dict(*arguments))  # type: ignore[attr-defined]
        return getattr(client, name)(*arguments)
    except Exception as problem:
        return {"raised": type(problem).__name__, "says": str(problem)}


asked = json.load(sys.stdin)
kind = {"keystoneauth1": Keystoneauth1, "openstacksdk": Openstacksdk}[asked["client"]]
visitor = kind(asked["auth"], asked["region"])
print(json.dumps([carry_out(visitor, *step) for step in asked["steps"]]))
