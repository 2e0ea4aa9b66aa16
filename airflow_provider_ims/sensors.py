"""``JobSensor``: waits until a job is over and returns the new image's id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from airflow_provider_ims.arguments import check_job_id, check_seconds
from airflow_provider_ims.assets import tell_assets
from airflow_provider_ims.errors import ImsError, ImsPermanentError, JobTimeoutError, StateStoreError
from airflow_provider_ims.failures import for_airflow, set_retry_policy
from airflow_provider_ims.links import IMAGE, LinkedOperator
from airflow_provider_ims.models import CLOCK_SKEW
from airflow_provider_ims.tasks import (
    Notes,
    check_end_in_triggerer,
    deadline,
    defer_until_over,
    is_known_at_parsing,
    success,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_ims.hooks.base import ImsBaseHook


class JobSensor(LinkedOperator, BaseSensorOperator):
    """Wait for a job that makes an image. Returns the image's id when the image is ``active``.

    Source: the IMS page "Querying the Status of an Asynchronous Job". Every string argument is templated.

    :param job_id: the job's id, as ``CopyImageOperator`` returns it.
    :param ims_conn_id: id of the Airflow connection.
    :param deferrable: whether to wait in the triggerer, else by ``mode``.
    :param poke_interval: seconds between looks (``mode="reschedule"`` leaves at least 6 between them).
    :param timeout: seconds from the try's first start after which waiting is given up; the job goes on in the cloud.
    :param end_in_triggerer: whether a success ends the task in the triggerer, without another worker (needs
        ``deferrable``); see ``CopyImageOperator``.
    :param mode: without ``deferrable``: ``reschedule`` frees the worker between looks, ``poke`` holds it.
    """

    template_fields: Sequence[str] = ("job_id", "ims_conn_id")
    ui_color = "#e20074"
    ui_fgcolor = "#ffffff"

    def __init__(
        self,
        *,
        job_id: str | XComArg,
        ims_conn_id: str = "ims_default",
        deferrable: bool = True,
        poke_interval: float = 30,
        timeout: float = 7200,
        mode: str = "reschedule",
        end_in_triggerer: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, timeout=timeout, mode=mode, **kwargs)
        self.job_id = cast(str, job_id)  # text once it is rendered
        self.ims_conn_id = ims_conn_id
        self.deferrable = deferrable
        self.end_in_triggerer = end_in_triggerer
        set_retry_policy(self)
        check_seconds("poke_interval", self.poke_interval)
        check_seconds("timeout", self.timeout)
        check_end_in_triggerer(self)
        if is_known_at_parsing(job_id):
            check_job_id(job_id)

    def get_hook(self) -> ImsBaseHook:
        """The hook that a try works with; a subclass may bring its own."""
        from airflow_provider_ims.hooks.base import ImsBaseHook

        return ImsBaseHook(self.ims_conn_id, patience=0)  # what fails for a moment, the next look repeats

    def execute(self, context: Context) -> Any:
        """Wait, and return the image's id. Raises ``ImsError``, ``AirflowSensorTimeout``, ``AirflowSkipException``."""
        from airflow_provider_ims.waiting import Watch

        with self._failures():
            check_end_in_triggerer(self)
            check_job_id(self.job_id)
        with self._failures(), self.get_hook() as hook, self._linked(hook):
            last_look = deadline(context, self)
            self._watch = Watch(hook.client, self.job_id, self.poke_interval, last_look)
            self._perform = hook.perform
            if not self.deferrable:
                self._recall(context)
                return self._execute_here(context)
            if seen := self.poke(context):
                return seen.xcom_value
            xcoms = {"return_value": IMAGE} if self.do_xcom_push else {}
            defer_until_over(self, self.ims_conn_id, self._watch, xcoms if self.end_in_triggerer else None)

    def _execute_here(self, context: Context) -> Any:
        given = self.timeout
        if self.reschedule:  # Airflow, too, judges by an instant of another host
            self.timeout += CLOCK_SKEW.total_seconds()
        try:
            return super().execute(context)
        except AirflowSensorTimeout as timeout:
            if timeout.__cause__:
                raise
            raise self._watch.timed_out() from None  # Airflow looked at the clock a moment after us
        finally:
            self.timeout = given

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with self._failures():
            image = self._perform(self._watch.look())
            if image is None:
                self._watch.until_next_look()
                self._note(context)
            else:
                self._link_image(self._watch.client.console(IMAGE), image.id)
                tell_assets(self, context, self._watch.made(image))
        return PokeReturnValue(image is not None, image and image.id)

    def execute_complete(self, context: Context, event: dict[str, Any], image_page: str = "", **more: Any) -> str:
        """Take what the trigger has seen; ``image_page`` is of the process that was deferred."""
        if event.get("job_id") != self.job_id:  # of the clearing before: SQLite re-uses triggers' ids
            self.log.warning("An event of job %s is not for this task, which goes on waiting", event.get("job_id"))
            return cast(str, self.execute(context))
        with self._failures():
            image_id = str(success(event)["image_id"])
            self._link_image(image_page, image_id)
            tell_assets(self, context, event)
        return image_id

    def _recall(self, context: Context) -> None:
        """Go on from what this try's process before a reschedule has seen."""
        looks = int(context.get("task_reschedule_count") or 0)
        self._notes, noted = Notes(context.get("task_state_store"), "looks"), dict[str, Any]()
        try:
            noted = self._notes.read() if looks else {}
        except StateStoreError as error:
            self.log.warning("What the last look has seen is not known: %s", error)
        if noted.get("try") == context["ti"].try_number:
            self._watch.failures = noted["failures"]
            self._watch.unknown_looks = noted["unknown_looks"]
            self._watch.state = noted["state"]
        self._noted = noted

    def _note(self, context: Context) -> None:
        """Leave the same to the next one."""
        if not self.reschedule or self.deferrable:
            return
        seen = {name: getattr(self._watch, name) for name in ("failures", "unknown_looks", "state")}
        seen["try"] = context["ti"].try_number
        if seen.items() <= self._noted.items():
            return
        try:
            self._notes.write(**seen)
        except StateStoreError as error:
            self.log.warning("What the look has seen is not kept: %s", error)

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        from airflow_provider_ims.triggers import SOONEST_RETURN

        pause = self._watch.until_next_look()
        return max(SOONEST_RETURN, pause) if self.reschedule else pause

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Fail as sensors do: skip where ``soft_fail`` or ``never_fail`` ask for it, and time out without a retry."""
        try:
            yield
        except ImsError as error:
            if self.never_fail or (self.soft_fail and isinstance(error, ImsPermanentError | JobTimeoutError)):
                raise AirflowSkipException(str(error)) from error
            if isinstance(error, JobTimeoutError):
                raise AirflowSensorTimeout(str(error)) from error
            if (failure := for_airflow(error)) is error:
                raise
            raise failure from error
