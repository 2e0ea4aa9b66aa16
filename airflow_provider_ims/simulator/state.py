"""The state of the simulated cloud: what there is, what time it is, and ids that have not been used yet.

Holds; the modules beside it decide. Same seed, same clock, same requests: same ids.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from airflow_provider_ims.simulator.nouns import Account, CopyJob, IssuedToken, Project, StoredImage, StoredKey
from airflow_provider_ims.simulator.seeds import KEY_STATES, KeyState, seed_images
from airflow_provider_ims.simulator.settings import Settings


def fixed_id(*parts: object) -> str:
    """32 hex digits that follow from the parts."""
    return hashlib.shake_128("|".join(map(str, parts)).encode()).hexdigest(16)


class State:
    """Everything that a request can read or change."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.settings = settings
        self.clock = clock
        self.more_accounts: list[Account] = []
        self.more_keys: dict[str, StoredKey] = {}
        self.key_failures: dict[str, int] = {}
        self.keys_locked_until: dict[str, datetime] = {}
        self.tokens: dict[str, IssuedToken] = {}
        self.wrong_passwords: dict[str, list[datetime]] = {}
        self.locked_until: dict[str, datetime] = {}
        self.jobs: dict[str, CopyJob] = {}
        self.kms_keys: dict[str, KeyState] = dict(KEY_STATES)
        self.visits: dict[str, list[datetime]] = {}
        self.counters: Counter[str] = Counter()
        self._drawn = 0
        seeded = seed_images(settings.project_id, settings.images, self.now())
        self.images: dict[str, StoredImage] = {image.id: image for image in seeded}

    def now(self) -> datetime:
        """The cloud's time: aware, UTC."""
        return self.clock()

    @property
    def accounts(self) -> list[Account]:
        """The user of the settings, the one of another account who may assume the agency, then the added ones."""
        chosen = self.settings
        partner = self._account(chosen.agency_user_name, chosen.agency_user_domain_name, (), ("te_agency",))
        return [self._account(chosen.user_name, chosen.domain_name, self._projects()), partner, *self.more_accounts]

    @property
    def agency(self) -> Account:
        """Whom a user becomes who assumes the agency; nobody logs in as that."""
        name = f"{self.settings.domain_name}/{self.settings.agency_name}"
        return self._account(name, self.settings.domain_name, self._projects())

    def key(self, access_key: str) -> StoredKey | None:
        """The access key of that name, if there is one."""
        chosen = self.settings
        if access_key == chosen.access_key and access_key not in self.more_keys:
            return StoredKey(access_key, chosen.secret_key, self.accounts[0])
        return self.more_keys.get(access_key)

    def _projects(self) -> tuple[Project, ...]:
        chosen = self.settings
        more = [Project(fixed_id("project", name), name) for name in chosen.more_projects]
        return (Project(chosen.project_id, chosen.project_name), *more)

    def _account(
        self,
        user_name: str,
        domain_name: str,
        projects: tuple[Project, ...],
        roles: tuple[str, ...] = ("te_admin", "ims_adm"),
    ) -> Account:
        ids = fixed_id("user", user_name), fixed_id("domain", domain_name)
        return Account(ids[0], user_name, self.settings.password, ids[1], domain_name, projects, roles)

    def fresh_id(self, kind: str) -> str:
        """32 hex digits that nothing else has."""
        self._drawn += 1
        return fixed_id(kind, self.settings.seed, self._drawn, self.now())

    def fresh_uuid(self, kind: str) -> str:
        """An id that was never given before, in the form of a UUID."""
        return str(UUID(hex=self.fresh_id(kind), version=4))

    def fresh_token(self) -> str:
        """An opaque token, as long as the settings say."""
        length = self.settings.token_length
        noise = hashlib.shake_256(self.fresh_id("token").encode()).digest(length)
        return ("MII" + base64.urlsafe_b64encode(noise).decode())[: max(length, 16)]

    def chance(self) -> float:
        """A number from 0 up to 1 that follows from the seed."""
        return int(self.fresh_id("chance")[:12], 16) / 16**12
