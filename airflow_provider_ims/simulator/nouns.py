"""What there is in the simulated cloud: accounts, projects, tokens, jobs, images. Who changes them is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

Phase = Literal["INIT", "RUNNING", "SUCCESS", "FAIL"]
NEVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Project:
    """A project of an account. Its name is a region, or ``REGION_NAME``."""

    id: str
    name: str

    def is_in(self, region: str) -> bool:
        """Whether it is the region's main project or one below it."""
        return self.name == region or self.name.startswith(f"{region}_")


@dataclass(frozen=True, slots=True)
class Account:
    """A user, with the domain it belongs to and the projects it can reach."""

    user_id: str
    user_name: str
    password: str = field(repr=False)
    domain_id: str
    domain_name: str
    projects: tuple[Project, ...]
    roles: tuple[str, ...] = ("te_admin", "ims_adm")
    enabled: bool = True

    def is_in_domain(self, domain: dict[str, str]) -> bool:
        """Whether a log-in's ``domain`` (``name`` or ``id``) is this account's."""
        return (
            domain.get("name", self.domain_name) == self.domain_name
            and domain.get("id", self.domain_id) == self.domain_id
        )


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An access key of an account. ``security_token`` and ``expires_at``: of a temporary one."""

    access_key: str
    secret_key: str = field(repr=False)
    account: Account
    security_token: str = field(default="", repr=False)
    expires_at: datetime | None = None
    enabled: bool = True


@dataclass(slots=True)
class IssuedToken:
    """A token: whose, for what, until when. Neither ``project`` nor ``domain`` scope: both are empty.

    ``assumed_by``: the user who works by an agency.
    """

    value: str = field(repr=False)
    account: Account
    project: Project | None
    domain_scope: bool
    issued_at: datetime
    expires_at: datetime
    revoked: bool = False
    assumed_by: Account | None = None


@dataclass(slots=True)
class CopyJob:
    """A copy under way or done. Where it stands follows from the instants alone."""

    id: str
    project_id: str
    source_id: str
    image_id: str
    image_name: str
    submitted_at: datetime
    starts_at: datetime
    ends_at: datetime
    fail_code: str = ""
    fail_reason: str = ""

    def phase(self, now: datetime) -> Phase:
        """Its status at an instant."""
        if now >= self.ends_at:
            return "FAIL" if self.fail_code else "SUCCESS"
        return "RUNNING" if now >= self.starts_at else "INIT"

    def progress(self, now: datetime) -> float:
        """How much is done, 0 to 1."""
        whole = (self.ends_at - self.starts_at).total_seconds()
        done = (now - self.starts_at).total_seconds()
        return round(min(max(done / whole, 0.0), 1.0), 2) if whole > 0 else float(now >= self.ends_at)


@dataclass(slots=True)
class StoredImage:
    """An image. ``status`` counts for images that no job makes; ``created_at`` too."""

    id: str
    name: str
    owner: str
    created_at: datetime
    status: str = "active"
    size: int = 2 * 1024**3
    min_disk: int = 40
    description: str = ""
    data_origin: str = ""
    cmk_id: str = ""
    enterprise_project_id: str = "0"
    virtual_env_type: str = "FusionCompute"
    whole: bool = False
    public: bool = False
    protected: bool = False
    tags: tuple[str, ...] = ()
    job: CopyJob | None = None
    deleted_at: datetime | None = None
