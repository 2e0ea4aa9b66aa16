"""What can be set in the simulated cloud: one field, one switch, one line that says what it does.

Knows names, defaults and how to read them from text or JSON. Decides nothing: whoever behaves otherwise reads it here.
Where the cloud's documentation is silent, a field chooses between the answers that are thinkable. Times are seconds.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal


def _setting(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every switch of the simulator. Frozen: ``Cloud.change`` puts a changed copy in its place."""

    user_name: str = _setting("ims-operator", "name of the one user there is at the start")
    password: str = field(default="simulator-only", repr=False, metadata={"doc": "its password"})
    domain_name: str = _setting("OTC-SIMULATOR", "name of the account (domain) it belongs to")
    access_key: str = _setting("AKSIMULATOR000000001", "its access key")
    secret_key: str = field(
        default="simulator-only-secret-key", repr=False, metadata={"doc": "the secret key that goes with it"}
    )
    agency_name: str = _setting("ims-agency", "agency by which a user of another account may work in this account")
    agency_user_name: str = _setting("partner", "name of that user, who has the same password")
    agency_user_domain_name: str = _setting("OTC-PARTNER", "name of the account (domain) that user belongs to")
    region: str = _setting("eu-de", "region of the image service")
    project_name: str = _setting("eu-de", "name of its project; a sub-project is named REGION_NAME")
    project_id: str = _setting("0215ef11e49d4743be23dd97a1561e91", "id of its project")
    more_projects: tuple[str, ...] = _setting((), "names of further projects of the user")
    enterprise_projects: tuple[str, ...] = _setting(
        ("5a1e0000-0000-4000-8000-0000000000e1",), "ids of the enterprise projects that exist beside the default one"
    )

    token_lifetime: float = _setting(86400.0, "how long a token lives")
    token_length: int = _setting(2400, "how many characters a token has")
    lockout_attempts: int = _setting(5, "wrong passwords within lockout_window that lock the user")
    lockout_window: float = _setting(900.0, "how long a wrong password is remembered")
    lockout_seconds: float = _setting(900.0, "how long a locked user stays locked")
    clock_skew: float = _setting(900.0, "how far the time of a signature may be from the cloud's")
    key_failures: int = _setting(5, "signatures that may fail one after the other; one more locks the access key")
    key_lock_seconds: float = _setting(300.0, "how long a locked access key stays locked")
    iam_error_shape: Literal["keystone", "table"] = _setting(
        "keystone", "error bodies of IAM: error.code, or error_code"
    )
    wrong_password_message: str = _setting("The username or password is wrong.", "what IAM says to a wrong password")
    unknown_project: Literal["401", "403", "404"] = _setting("401", "status of a log-in to a project that is not there")
    ims_url: str = _setting("", "image service URL in the catalog; empty: the URL that the request came to")
    iam_url: str = _setting("", "another IAM, such as a Keystone, whose tokens alone IMS takes; empty: this one")
    catalog_regions: tuple[str, ...] = _setting((), "further regions in the catalog, at hosts that cannot exist")

    missing_permissions: tuple[str, ...] = _setting((), "actions that the user may not do, such as ims:images:copy")
    permission_body: Literal["IMG.0026", "IMG.0161", "APIGW.0302", "policy"] = _setting(
        "IMG.0026", "how a missing permission is refused"
    )

    images: int = _setting(20, "how many plain numbered images there are at the start, beside the special ones")
    quota: int = _setting(50, "private images a project may have")
    duplicate_names: Literal["allow", "reject"] = _setting("allow", "a copy with a name in use: allowed, or IMG.0009")
    copy_public: bool = _setting(True, "whether public images can be copied (no: IMG.0105)")
    image_appears: Literal["submit", "running", "success"] = _setting(
        "running", "which moment of the job makes the copy's image"
    )
    list_lag: float = _setting(0.0, "how much later than that the image shows up in lists")
    description_lag: float = _setting(0.0, "how much later than that it shows its description")
    active_lag: float = _setting(0.0, "how long the image stays saving after its job is SUCCESS")
    image_after_success: Literal["active", "saving", "killed"] = _setting("active", "status of a copied image")
    image_after_fail: Literal["killed", "removed", "saving"] = _setting(
        "killed", "what becomes of the image of a job that FAILs"
    )
    delete_seconds: float = _setting(0.0, "how long a deleted image is still shown")
    native_errors: Literal["html", "plain", "json"] = _setting("html", "error bodies of the native /v2/images calls")

    copy_seconds: float = _setting(20.0, "how long a copy takes")
    copy_spread: float = _setting(0.0, "how much longer than that a copy takes at most; each takes another time")
    init_part: float = _setting(0.1, "which part of it the job is INIT (0 to 1)")
    concurrent_copies: int = _setting(5, "copies of a project that run at once")
    beyond_limit: Literal["reject", "queue"] = _setting("reject", "one more: IMG.0060, or its job waits in INIT")
    job_lag: float = _setting(0.0, "how long a new job is not found yet")
    job_retention: float = _setting(0.0, "how long a finished job is remembered; 0: for ever")
    unknown_job: Literal["400", "404"] = _setting("400", "status for a job that is not there (400 comes with IMG.0023)")
    open_end_time: Literal["null", "empty"] = _setting("null", "end_time of an unfinished job: null or an empty string")
    time_form: Literal["iso", "old"] = _setting(
        "iso", "times in jobs: 2024-11-06T06:14:27.168Z or 04-Jun-2015 18:11:06:586"
    )
    process_percent: bool = _setting(False, "whether the v1 job API shows process_percent and current_task")
    image_id_while_running: bool = _setting(False, "whether a RUNNING job already names the image")
    status_words: Literal["upper", "lower"] = _setting("upper", "SUCCESS or success")
    fail_word: Literal["FAIL", "FAILED"] = _setting("FAIL", "status of a failed job")
    status_instead: str = _setting("", "status that every job shows, whatever is true; empty: the true one")
    success_entities: Literal["full", "no_image_id", "empty", "null"] = _setting("full", "entities of a SUCCESS job")
    fail_code: str = _setting("", "error code that new jobs FAIL with; empty: they succeed")
    fail_reason: str = _setting("The image could not be copied.", "fail_reason that goes with fail_code")
    fail_details: Literal["top", "entities", "both"] = _setting("both", "where a FAIL job carries code and reason")

    ims_rate_limit: int = _setting(0, "requests to IMS per user and rate_window; 0: no limit")
    iam_rate_limit: int = _setting(0, "requests to IAM per rate_window; 0: no limit")
    rate_window: float = _setting(60.0, "the window of the rate limits")
    retry_after: int = _setting(0, "Retry-After of a 429; 0: the header is not sent")
    seed: int = _setting(0, "seed of ids, tokens and chances")

    def __post_init__(self) -> None:
        for each in fields(self):
            if (value := getattr(self, each.name)) is not each.default:
                _check(each.name, _kinds()[each.name], value)


@cache
def _kinds() -> dict[str, Any]:
    """What each setting is; found out once, for that takes longer than all the rest of a cloud."""
    return typing.get_type_hints(Settings)


def _check(name: str, kind: Any, value: object) -> None:
    choices = typing.get_args(kind)
    if typing.get_origin(kind) is Literal:
        if value not in choices:
            raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
    elif kind in (int, float):
        if isinstance(value, bool) or not isinstance(value, (int, kind)) or not 0 <= value < float("inf"):
            raise ValueError(f"{name} must be a number from 0, not {value!r}")
    elif not isinstance(value, typing.get_origin(kind) or kind):
        raise ValueError(f"{name} must be a {getattr(kind, '__name__', kind)}, not {value!r}")


def read_settings(document: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a JSON object, as keyword arguments. Raises ValueError for a name that no setting has."""
    if not isinstance(document, Mapping):
        raise ValueError("settings are a JSON object")
    known = {each.name: each for each in fields(Settings)}
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise ValueError(f"no such setting: {', '.join(unknown)}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
