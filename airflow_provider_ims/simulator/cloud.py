"""The simulated cloud as a whole: takes a request, gives a reply, keeps a capture of both.

No socket, no thread, no sleep: time passes only as the clock says, and a delay is told to the server, not waited for.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from airflow_provider_ims.models import Request, Response
from airflow_provider_ims.simulator import errors
from airflow_provider_ims.simulator.faults import Fault, FaultBook, spoil
from airflow_provider_ims.simulator.gate import pass_on
from airflow_provider_ims.simulator.identity import issue, take_token
from airflow_provider_ims.simulator.images import image_document, status_of
from airflow_provider_ims.simulator.jobs import job_document
from airflow_provider_ims.simulator.nouns import Account, CopyJob, StoredImage, StoredKey
from airflow_provider_ims.simulator.routes import Route, find_route
from airflow_provider_ims.simulator.settings import Settings
from airflow_provider_ims.simulator.state import State
from airflow_provider_ims.simulator.wire import Call, Connection, Reply

DEFAULTS = Settings()
CAPTURE_LENGTH = 10_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it arrived, secrets and all, and what became of it. Names of headers are in lower case.

    ``status`` is None when nothing was answered.
    """

    instant: datetime
    route: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    body: str = field(repr=False)
    status: int | None
    connection: Connection

    @classmethod
    def of(cls, request: Request, call: Call, route: str, reply: Reply, instant: datetime) -> Arrival:
        """That of a request and what became of it."""
        return cls(
            instant=instant,
            route=route,
            method=call.method,
            path=call.path,
            query=dict(call.query),
            headers=dict(call.headers),
            body=call.body.decode(errors="replace"),
            status=reply.response.status if reply.response else None,
            connection=reply.connection,
        )


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Cloud:
    """IAM and IMS. Faults are set in ``faults``; ``arrivals`` is what came in; ``on_arrival`` is told of each one."""

    def __init__(self, settings: Settings = DEFAULTS, clock: Callable[[], datetime] = _utc_now) -> None:
        self._lock = threading.RLock()
        self.state = State(settings, clock)
        self.faults = FaultBook(self.state.chance)
        self.arrivals: deque[Arrival] = deque(maxlen=CAPTURE_LENGTH)
        self.on_arrival: Callable[[Arrival], None] = lambda arrival: None

    @property
    def settings(self) -> Settings:
        """How this cloud behaves."""
        return self.state.settings

    @property
    def counters(self) -> Counter[str]:
        """What happened how often: ``METHOD route`` for each request, connections (those that a request came on),
        log_ins_accepted, log_ins_refused, log_ins_locked, signatures_refused, signatures_locked, tokens_issued,
        copies_accepted.
        """
        return self.state.counters

    def count(self, what: str) -> None:
        """Count what a server sees and a request does not show."""
        with self._lock:
            self.counters[what] += 1

    def change(self, **settings: Any) -> None:
        """Change settings from now on. Raises ValueError or TypeError for what cannot be."""
        with self._lock:
            self.state.settings = replace(self.state.settings, **settings)

    def respond(self, request: Request) -> Reply:
        """Answer one request."""
        with self._lock:
            call = Call.read(request, self.state.fresh_id("request"))
            route, params = find_route(call.method, call.path)
            name = route.name if route else "unknown"
            struck = self.faults.strike(name)
            reply = self._reply(route, replace(call, params=params), struck)
            self._capture(request, call, name, reply)
            return reply

    def _reply(self, route: Route | None, call: Call, struck: list[Fault]) -> Reply:
        delay = sum(fault.seconds for fault in struck if fault.kind == "delay")
        fault = next((fault for fault in struck if fault.kind != "delay"), None)

        def carry_out() -> Response:
            return self._answer(route, replace(call, fate=fault))

        outcome = Reply(carry_out()) if fault is None else spoil(fault, call, carry_out)
        if isinstance(outcome, errors.Refusal):
            outcome = Reply(errors.render(outcome, call.request_id, self.settings))
        response = outcome.response
        if response is not None:
            body = b"" if call.method == "HEAD" else response.body
            response = structs.replace(
                response, headers={**response.headers, "X-Request-Id": call.request_id}, body=body
            )
        return Reply(response, outcome.delay + delay, outcome.connection)

    def _answer(self, route: Route | None, call: Call) -> Response:
        try:
            return pass_on(self.state, route, call)
        except errors.Refusal as refusal:
            return errors.render(refusal, call.request_id, self.settings)

    def _capture(self, request: Request, call: Call, route: str, reply: Reply) -> None:
        self.counters[f"{call.method} {route}"] += 1
        arrival = Arrival.of(request, call, route, reply, self.state.now())
        self.arrivals.append(arrival)
        self.on_arrival(arrival)

    def requests(self, route: str) -> list[Arrival]:
        """What came in on one route, such as ``copy`` or ``log_in``."""
        with self._lock:
            return [arrival for arrival in self.arrivals if arrival.route == route]

    def take_token(self, value: str, document: dict[str, Any] | None) -> None:
        """Believe what another IAM says of a token: its document, or None where it does not hold."""
        with self._lock:
            take_token(self.state, value, document)

    def revoke_tokens(self) -> int:
        """Revoke every token there is, as a changed password does. Returns how many."""
        with self._lock:
            standing = [token for token in self.state.tokens.values() if not token.revoked]
            for token in standing:
                token.revoked = True
            return len(standing)

    def issue_token(self) -> str:
        """A token of the user for its project, as somebody else would have got it."""
        with self._lock:
            account = self.state.accounts[0]
            return issue(self.state, account, account.projects[0], domain_scope=False).value

    def add_account(self, account: Account) -> None:
        """Let one more user exist."""
        with self._lock:
            self.state.more_accounts.append(account)

    def add_key(self, key: StoredKey) -> None:
        """Let one more access key exist, in the place of one of the same name."""
        with self._lock:
            self.state.more_keys[key.access_key] = key

    def add_image(self, name: str, **more: Any) -> StoredImage:
        """Let one more image exist, owned by the user's project. ``more`` are fields of ``StoredImage``."""
        with self._lock:
            known: dict[str, Any] = {"owner": self.settings.project_id, "created_at": self.state.now()}
            image = StoredImage(**{"id": self.state.fresh_uuid("image"), "name": name, **known, **more})
            self.state.images[image.id] = image
            return image

    def end_job(self, job_id: str, code: str = "", reason: str = "") -> None:
        """Let a job end now: FAIL with a code, SUCCESS without."""
        with self._lock:
            job, now = self.state.jobs[job_id], self.state.now()
            job.starts_at, job.ends_at = min(job.starts_at, now), now
            job.fail_code, job.fail_reason = code, reason

    @property
    def jobs(self) -> list[CopyJob]:
        """All jobs, the oldest first."""
        with self._lock:
            return list(self.state.jobs.values())

    def job_documents(self) -> list[dict[str, Any]]:
        """All jobs as documents, with their progress."""
        with self._lock:
            return [job_document(job, self.state, progress=True) for job in self.state.jobs.values()]

    def copies(self) -> list[dict[str, Any]]:
        """The images that copies have made and that are there now, as documents, the oldest first."""
        return [document for document in self.images() if "__data_origin" in document]

    def images(self) -> list[dict[str, Any]]:
        """All images that are there now, as documents."""
        with self._lock:
            state = self.state
            return [image_document(each, state) for each in state.images.values() if status_of(each, state) is not None]
