"""What the operator and the sensor share: the deadline of a try, the way into the triggerer and back, and notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowRescheduleException
from msgspec import Struct, field
from msgspec.structs import asdict

from airflow_provider_ims.errors import ArgumentError, ImsError, StateStoreError, ThrottledError
from airflow_provider_ims.idempotency import copy_key
from airflow_provider_ims.models import CLOCK_SKEW
from airflow_provider_ims.versions import DEFERRAL, INSTALL, check_version

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ims.waiting import Watch

DEFERRAL_MARGIN = timedelta(minutes=5)
"""Airflow's own time-out comes so much later than the deadline, so that the last look happens and the error is ours."""


class Notes(Struct):
    """What a task's process leaves to the next one under ``key``, in Airflow's task state store.

    A store belongs to one task of one run, mapped index included; tries share it. Airflow below 3.3 has none: there
    nothing is kept. ``always``: facts that each note has. All methods raise ``StateStoreError`` where Airflow refuses,
    ``read`` also ``NewerReleaseError``.
    """

    store: Any
    key: str
    always: Mapping[str, Any] = field(default_factory=dict)

    VERSION: ClassVar[int] = 1

    def read(self) -> dict[str, Any]:
        """What was written last; empty where nothing was."""
        with _store_errors():
            kept = self.store.get(self.key) if self.store is not None else None
        if not isinstance(kept, dict) or "version" not in kept:
            return {}
        remedy = f"{INSTALL} Or, once nobody needs what is noted, delete the task's state '{self.key}' (REST API)."
        check_version("What an earlier try has noted", kept["version"], self.VERSION, remedy)
        return kept

    def write(self, **facts: Any) -> None:
        """Put these, all of them JSON, in the place of what was there."""
        if self.store is not None:
            with _store_errors():
                self.store.set(self.key, {"version": self.VERSION, **self.always, **facts})


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except Exception as problem:  # a backend of the user's own raises what it likes
        words = f"{type(problem).__name__}: {problem}".rstrip(".")
        raise StateStoreError(f"Airflow's task state store does not answer: {words}.") from problem


def succeeded(context: Context) -> Notes:
    """The key of the copy with which the task has succeeded last; apart, so that it can be written unread."""
    return Notes(context.get("task_state_store"), "succeeded")


def is_known_at_parsing(value: object) -> bool:
    """Whether an argument holds no template and no other task's output, so that it can be checked at once."""
    return value is None or (isinstance(value, str) and "{{" not in value and "{%" not in value)


def check_end_in_triggerer(task: Any) -> None:
    """Refuse to end a task without a worker where that would lose something; raises ``ArgumentError``."""
    if not task.end_in_triggerer:
        return
    if not task.deferrable:
        raise ArgumentError(
            "end_in_triggerer needs deferrable=True: otherwise the task waits in a worker, and ends there."
        )
    lost = {name: getattr(task, name, None) for name in ("outlets", "on_success_callback", "returns_dag_result")}
    lost["post_execute"] = task._post_execute_hook or type(task).post_execute is not BaseOperator.post_execute
    if names := [name for name, is_set in lost.items() if is_set]:
        raise ArgumentError(f"{names[0]} is set, which only a worker heeds: leave it out, or end_in_triggerer.")


def default_copy_key(
    context: Context, retries: int, noted: Mapping[str, Any], succeeded: Callable[[], Mapping[str, Any]]
) -> tuple[str, dict[str, Any]]:
    """The copy key of a task where its author gives none, and what must be noted to find it again.

    A clear sets ``max_tries`` to the tries so far and ``retries``; a retry leaves it. So another ``max_tries`` is
    another clearing. Where ``retries`` was lowered it may be one that was there before, which ``again`` tells apart;
    and where it is even the same, it is a clear if the task had succeeded with the noted copy.
    """
    run, ti = context["dag_run"], cast(Any, context["ti"])
    before, highest, again = (noted.get(name, default) for name, default in _CLEARINGS)
    if ti.max_tries == before:
        again += retries < noted["retries"] and succeeded().get("key") == noted["key"]
    else:
        again += ti.max_tries <= highest
    clearing = f"{ti.max_tries}s{again}" if again else f"{ti.max_tries}"
    started = run.start_date.isoformat() if run.start_date else ""
    key = copy_key(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, clearing=clearing, started=started)
    highest = max(highest, ti.max_tries)
    return key, {"max_tries": ti.max_tries, "highest": highest, "again": again, "retries": retries}


_CLEARINGS = (("max_tries", None), ("highest", -1), ("again", 0))


def deadline(context: Context, task: Any) -> datetime:
    """The task's ``timeout`` after this try first started; later where one host may set it, and another judge it."""
    ti: Any = context["ti"]
    elsewhere: datetime | None = ti.get_first_reschedule_date(context)
    started = elsewhere or ti.start_date or datetime.now(UTC)
    return started + timedelta(seconds=task.timeout) + (CLOCK_SKEW if elsewhere or task.deferrable else timedelta(0))


def defer_until_over(
    operator: BaseOperator, ims_conn_id: str, watch: Watch, xcoms: dict[str, str] | None = None
) -> NoReturn:
    """Give the wait to the triggerer; raises ``JobTimeoutError`` where the deadline has passed.

    ``xcoms``: see ``JobTrigger``; the link to the image is added where it has a page. ``execute_complete`` is given
    ``image_page``, where the link is to lead with ``{image_id}`` in it, and with an order its ``copy_key``.
    """
    from airflow_provider_ims.links import IMAGE, ImageLink
    from airflow_provider_ims.triggers import SOONEST_RETURN, JobTrigger

    pause, now = watch.until_next_look(), watch.client.now()
    page = watch.client.console(IMAGE)
    if xcoms is not None and IMAGE in page:
        xcoms = {**xcoms, ImageLink().xcom_key: page}
    trigger = JobTrigger(
        job_id=watch.job_id,
        ims_conn_id=ims_conn_id,
        poll_interval=watch.poll_interval,
        deadline=watch.deadline.isoformat(),
        first_pause=max(SOONEST_RETURN, pause) if watch.failures else None,
        order=asdict(watch.order) if watch.order else None,
        xcoms=xcoms,
    )
    until = f"{watch.deadline:%Y-%m-%d %H:%M} UTC"
    operator.log.info("Waiting in the triggerer for job %s until %s", watch.job_id, until)
    patience = max(watch.deadline - now, timedelta(0)) + DEFERRAL_MARGIN
    kwargs = {"version": DEFERRAL, "image_page": page} | ({"copy_key": watch.order.key} if watch.order else {})
    operator.defer(trigger=trigger, method_name="execute_complete", kwargs=kwargs, timeout=patience)


def come_back(operator: Any, error: ThrottledError, last_look: datetime, now: datetime, known: str) -> NoReturn:
    """Have ``operator.submit_again`` (not ``deferrable``: all of the task) run later; until then without a worker.

    Raises the error where there is no time left before ``last_look``.
    """
    from airflow_provider_ims.copying import pause_for_slot
    from airflow_provider_ims.triggers import SOONEST_RETURN, SlotTrigger

    left = (last_look - now).total_seconds()
    pause = pause_for_slot(max(SOONEST_RETURN, error.retry_after or 0.0), operator.timeout - left, left)
    if pause is None:
        raise error
    until = now + timedelta(seconds=pause)
    operator.log.info("Throttled until %s UTC, then tried again: %s %s", f"{until:%H:%M:%S}", error, known)
    if not operator.deferrable:
        raise AirflowRescheduleException(until)
    trigger = SlotTrigger(until.isoformat(), pause, last_look.isoformat(), known)
    patience = timedelta(seconds=left) + DEFERRAL_MARGIN  # no triggerer may be there for longer than the pause
    operator.defer(trigger=trigger, method_name="submit_again", kwargs={"version": DEFERRAL}, timeout=patience)
    raise AssertionError("defer raises")


def success(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event of a trigger that saw the job end well; raises the ``ImsError`` of any other."""
    if event["status"] != "success":
        raise ImsError.from_event(event)
    return event
