"""What is there at the start: images and keys with fixed ids, for tests and for trying by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from airflow_provider_ims.simulator.nouns import StoredImage

KeyState = Literal["usable", "disabled", "foreign"]

PLAIN_IMAGE = "465076de-dc36-4aec-80f5-ef9d8009428f"
ENCRYPTED_IMAGE = "5eed0000-0000-4000-8000-0000000000a1"
ISO_IMAGE = "5eed0000-0000-4000-8000-0000000000a2"
FULL_ECS_IMAGE = "5eed0000-0000-4000-8000-0000000000a3"
INACTIVE_IMAGE = "5eed0000-0000-4000-8000-0000000000a4"
LARGE_IMAGE = "5eed0000-0000-4000-8000-0000000000a5"
PROTECTED_IMAGE = "5eed0000-0000-4000-8000-0000000000a6"
PUBLIC_IMAGE = "5eed0000-0000-4000-8000-0000000000a7"

KEY = "bd66288c-9081-460a-8227-4cbd0c814cb4"
OTHER_KEY = "5eed0000-0000-4000-8000-0000000000c1"
DISABLED_KEY = "5eed0000-0000-4000-8000-0000000000c2"
FOREIGN_KEY = "5eed0000-0000-4000-8000-0000000000c3"

KEY_STATES: dict[str, KeyState] = {KEY: "usable", OTHER_KEY: "usable", DISABLED_KEY: "disabled", FOREIGN_KEY: "foreign"}

GIB = 1024**3
_SPECIAL: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (PLAIN_IMAGE, "golden-source-ubuntu-24.04", {"description": "plain Linux image"}),
    (ENCRYPTED_IMAGE, "source-encrypted", {"cmk_id": KEY, "description": "encrypted with the first key"}),
    (ISO_IMAGE, "source-iso", {"virtual_env_type": "IsoImage", "description": "made from an ISO file"}),
    (FULL_ECS_IMAGE, "source-full-ecs", {"whole": True, "description": "full-ECS image"}),
    (INACTIVE_IMAGE, "source-not-active", {"status": "saving", "description": "not active yet"}),
    (LARGE_IMAGE, "source-200-gb", {"size": 200 * GIB, "min_disk": 250, "description": "larger than can be copied"}),
    (PROTECTED_IMAGE, "source-protected", {"protected": True, "description": "protected from deletion"}),
    (PUBLIC_IMAGE, "Standard_Ubuntu_24.04_latest", {"public": True, "protected": True, "description": "public image"}),
)


def numbered_image(number: int) -> str:
    """The id of the plain image with that number, from 1."""
    return f"5eed0000-0000-4000-8000-1{number:011d}"


def seed_images(owner: str, numbered: int, now: datetime) -> list[StoredImage]:
    """The images that are there at the start."""
    special = [StoredImage(id, name, owner, now, **more) for id, name, more in _SPECIAL]
    for image in special:
        image.owner = "0" * 32 if image.public else owner
    plain = (StoredImage(numbered_image(n), f"source-{n:03d}", owner, now) for n in range(1, numbered + 1))
    return [*special, *plain]
