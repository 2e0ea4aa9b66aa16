"""``CopyImageOperator``: begins a copy, once whatever breaks, and, where asked, waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import AirflowRescheduleException, TaskDeferred

from airflow_provider_ims.arguments import (
    LONGEST_DESCRIPTION,
    LONGEST_MARKED_DESCRIPTION,
    check_copy,
    check_description,
    check_image_id,
    check_name,
    check_seconds,
    truth,
)
from airflow_provider_ims.assets import tell_assets
from airflow_provider_ims.errors import (
    ArgumentError,
    CopyConflictError,
    ImageUnusableError,
    JobFailedError,
    JobInterruptedError,
    NotFoundError,
    StateStoreError,
    ThrottledError,
)
from airflow_provider_ims.failures import failures, set_retry_policy
from airflow_provider_ims.idempotency import Order, account
from airflow_provider_ims.links import IMAGE, LinkedOperator
from airflow_provider_ims.models import text
from airflow_provider_ims.tasks import (
    Notes,
    check_end_in_triggerer,
    come_back,
    deadline,
    default_copy_key,
    defer_until_over,
    is_known_at_parsing,
    succeeded,
    success,
)

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_ims.copying import Submission
    from airflow_provider_ims.hooks.base import ImsBaseHook
    from airflow_provider_ims.waiting import Watch

OVER = (JobFailedError, JobInterruptedError, ImageUnusableError, CopyConflictError, NotFoundError)
"""Errors after which nothing of the copy goes on in the cloud, or nobody can say."""


class CopyImageOperator(LinkedOperator):
    """Copy a private image within its region, once whatever breaks. Returns the job's id.

    A retry takes up the copy that an earlier try has begun; a clear begins another. Where a copy was taken up by its
    image, because its job is not known, the job's id is ``image:<image id>``, which ``JobSensor`` understands.

    With ``wait_for_completion`` the task ends when the new image is ``active``, and pushes its id as XCom ``image_id``.
    A copy that finds no free slot (five run at once in a tenant) is sent again until the timeout. Source: the IMS page
    "Replicating an Image Within a Region". Every string argument is templated.

    :param image_id: the image to copy.
    :param name: the new image's name: 1 to 128 letters, digits, ``-``, ``.``, ``_`` or spaces; the same in each try.
    :param description: at most 980 characters (1,024 without fingerprint), no line break, no ``<`` or ``>``.
    :param cmk_id: the KMS key to encrypt the copy with. Without one the copy is not encrypted.
    :param enterprise_project_id: the enterprise project of the copy; default: the default one.
    :param ims_conn_id: id of the Airflow connection.
    :param wait_for_completion: whether to wait for the new image.
    :param deferrable: whether to wait in the triggerer (no worker is held), else in the worker.
    :param poll_interval: seconds between looks at the job.
    :param timeout: seconds from the try's start after which waiting is given up; the copy goes on in the cloud.
    :param copy_key: one image for this key and source image, across runs and clears; default: one for each clearing of
        this task in this run.
    :param fingerprint: whether to put a fingerprint of the copy key in front of the description. Without one a copy
        whose answer is lost cannot be recognized, and fails the task for good.
    :param submit_grace: seconds within which the cloud is taken to list a copy that it has accepted.
    :param end_in_triggerer: whether a success ends the task in the triggerer, without another worker (needs
        ``wait_for_completion`` and ``deferrable``). Listeners do not hear of it, and outlets, success callbacks and
        ``post_execute`` would be lost, so they are refused. Failures come back to a worker.
    :param allow_decryption: whether an encrypted image may get a copy that is not encrypted (template: true, false).
    """

    template_fields: Sequence[str] = (
        "image_id",
        "name",
        "description",
        "cmk_id",
        "enterprise_project_id",
        "ims_conn_id",
        "copy_key",
        "allow_decryption",
    )
    ui_color = "#e20074"
    ui_fgcolor = "#ffffff"

    def __init__(
        self,
        *,
        image_id: str | XComArg,
        name: str | XComArg,
        description: str | XComArg | None = None,
        cmk_id: str | XComArg | None = None,
        enterprise_project_id: str | XComArg | None = None,
        ims_conn_id: str = "ims_default",
        wait_for_completion: bool = False,
        deferrable: bool = True,
        poll_interval: float = 30,
        timeout: float = 7200,
        copy_key: str | XComArg | None = None,
        fingerprint: bool = True,
        submit_grace: float = 60,
        allow_decryption: bool | str = False,
        end_in_triggerer: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_id = cast(str, image_id)  # these are text once they are rendered
        self.name = cast(str, name)
        self.description = cast("str | None", description)
        self.cmk_id = cast("str | None", cmk_id)
        self.enterprise_project_id = cast("str | None", enterprise_project_id)
        self.ims_conn_id = ims_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.copy_key = cast("str | None", copy_key)
        self.fingerprint = fingerprint
        self.submit_grace = submit_grace
        self.allow_decryption = allow_decryption
        self.end_in_triggerer = end_in_triggerer
        self._known: dict[str, str | None] = {"key": None}
        self._submission: Submission | None = None
        set_retry_policy(self)
        self._check_at_parsing()

    def get_hook(self) -> ImsBaseHook:
        """The hook that a try works with; a subclass may bring its own."""
        from airflow_provider_ims.hooks.base import ImsBaseHook

        return ImsBaseHook(self.ims_conn_id)

    def execute(self, context: Context) -> str:
        """Begin the copy, or take up one begun by an earlier try; returns the job's id. Raises ``ImsError``."""
        with failures():
            check_end_in_triggerer(self)
        is_first = context["ti"].try_number == 1  # each clearing and each retry has a higher number
        return self._copy(context, deadline(context, self), may_follow=not is_first, is_first=is_first)

    def submit_again(self, context: Context, event: Mapping[str, Any], **more: Any) -> str:
        """Go on after a pause for want of a free slot."""
        known = event.get("deadline")  # another trigger's event has none: SQLite re-uses triggers' ids
        last_look = datetime.fromisoformat(known) if known else deadline(context, self)
        return self._copy(context, last_look, may_follow=False)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any], copy_key: str | None = None, image_page: str = "", **more: Any
    ) -> str:
        """Take what the trigger has seen; the others are of the try that was deferred (none in ``dag.test()``)."""
        with self._accounted():
            if event.get("copy_key") != (copy_key or event.get("copy_key")):  # SQLite re-uses triggers' ids
                self.log.warning("An event of job %s is not for this task, which goes on waiting", event.get("job_id"))
                return self._copy(context, deadline(context, self), may_follow=True)
            self._known = {"key": event["copy_key"], "job_id": event["job_id"]}
            self._succeed(context, success(event), image_page)
            return str(event["job_id"])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral; where it failed, say what is known of the copy."""
        if next_method != "__fail__":
            return super().resume_execution(next_method, next_kwargs, context)
        with self._accounted():  # Airflow's own time-out, or a trigger that could not run
            with suppress(StateStoreError):
                self._take_up(context)
            return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        """Send no more, and say what is known of the copy, which goes on."""
        if self._submission:
            self._submission.is_stopped = True
        self._tell()

    def _check_at_parsing(self) -> None:
        for argument in ("poll_interval", "timeout", "submit_grace"):
            check_seconds(argument, getattr(self, argument))
        for check, value in ((check_image_id, self.image_id), (check_name, self.name)):
            if is_known_at_parsing(value):
                check(value)
        if is_known_at_parsing(self.description):
            check_description(self.description, self._longest_description)
        if self.copy_key and not self.fingerprint:
            raise ArgumentError(f"copy_key is {self.copy_key!r}, which means nothing with fingerprint=False: drop one.")
        if self.outlets and not self.wait_for_completion:
            raise ArgumentError(
                "outlets need wait_for_completion=True (or set them on the JobSensor): no image is there."
            )
        if self.end_in_triggerer and not self.wait_for_completion:
            raise ArgumentError("end_in_triggerer needs wait_for_completion=True: without, nothing is waited for.")
        check_end_in_triggerer(self)
        if isinstance(self.allow_decryption, bool) or is_known_at_parsing(self.allow_decryption):
            truth("allow_decryption", self.allow_decryption)

    @property
    def _longest_description(self) -> int:
        return LONGEST_MARKED_DESCRIPTION if self.fingerprint else LONGEST_DESCRIPTION

    def _copy(self, context: Context, last_look: datetime, *, may_follow: bool, is_first: bool = False) -> str:
        from airflow_provider_ims.copying import Submission
        from airflow_provider_ims.waiting import Watch

        with self._accounted():
            notes, noted = self._take_up(context, is_first)
            order, allowed = self._order(), truth("allow_decryption", self.allow_decryption)
            with self.get_hook() as hook, self._linked(hook):
                # who can note does so before it sends: without a fingerprint, no note is no copy
                may_follow = may_follow and (order.marked or notes.store is None)
                submission = Submission(hook.client, order, notes, may_follow, self.submit_grace, allowed)
                job_id = self._submit(hook, submission, noted, last_look)
                known = account(order.key if order.marked else None, job_id)
                self.log.info("%s", known)
                watch = Watch(hook.client, job_id, self.poll_interval, last_look, submission.order)
                made = self._wait(context, hook, watch) if self.wait_for_completion else None
                self._succeed(context, made, hook.client.console(IMAGE))
            return job_id

    def _submit(self, hook: ImsBaseHook, submission: Submission, noted: Mapping[str, Any], last_look: datetime) -> str:
        left = (last_look - hook.client.now()).total_seconds()
        hook.patience = max(0.0, min(hook.patience, left))
        self._submission = submission
        try:
            return hook.perform(submission.submit(noted))
        except ThrottledError as error:
            come_back(
                self, error, last_look, hook.client.now(), account(self._known["key"] if self.fingerprint else None)
            )
        finally:
            self._known["job_id"] = submission.job_id

    def _take_up(self, context: Context, is_first: bool = False) -> tuple[Notes, Mapping[str, Any]]:
        """Where to note, and what earlier tries have noted: nothing, where there are none."""
        notes = Notes(context.get("task_state_store"), "copy")
        noted = {} if is_first else notes.read()
        key, notes.always = default_copy_key(context, self.retries or 0, noted, lambda: succeeded(context).read())
        key = text(self.copy_key) or key
        self._known = {"key": key, "job_id": noted.get("job_id") if noted.get("key") == key else None}
        return notes, noted

    def _order(self) -> Order:
        others = (self.cmk_id, self.enterprise_project_id, self.copy_key)
        check_copy(self.image_id, self.name, self.description, *others, longest=self._longest_description)
        return Order(
            key=cast(str, self._known["key"]),
            image_id=self.image_id,
            name=self.name,
            description=text(self.description),
            cmk_id=text(self.cmk_id),
            enterprise_project_id=text(self.enterprise_project_id),
            marked=self.fingerprint,
        )

    def _wait(self, context: Context, hook: ImsBaseHook, watch: Watch) -> Mapping[str, Any]:
        hook.patience = 0  # what fails for a moment, the next look repeats
        image = hook.perform(watch.look() if self.deferrable else watch.wait())
        if image:
            return watch.made(image)
        if self.end_in_triggerer and self.do_xcom_push:  # the triggerer pays several times as much for an XCom
            context["ti"].xcom_push(key="return_value", value=watch.job_id)
        defer_until_over(self, self.ims_conn_id, watch, {"image_id": IMAGE} if self.end_in_triggerer else None)

    def _succeed(self, context: Context, made: Mapping[str, Any] | None, image_page: str) -> None:
        if made:
            self._known["image_id"] = image_id = made["image_id"]
            context["ti"].xcom_push(key="image_id", value=image_id)
            self._link_image(image_page, image_id)
            tell_assets(self, context, made)
        try:
            succeeded(context).write(key=self._known["key"])
        except StateStoreError as error:
            self.log.warning("%s", error)

    @contextmanager
    def _accounted(self) -> Iterator[None]:
        """Within, whatever fails or interrupts the task says what is known of the copy."""
        with failures():
            try:
                yield
            except (TaskDeferred, AirflowRescheduleException):
                raise
            except BaseException as error:
                self._tell(is_over=isinstance(error, OVER))
                raise

    def _tell(self, is_over: bool = False) -> None:
        known = self._known if self.fingerprint else {**self._known, "key": None}
        self.log.error("%s", account(**known, is_over=is_over))
