"""``CopyImageOperator``: begins a copy and, where asked, waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

from airflow_provider_ims.arguments import check_copy, check_description, check_image_id, check_name, check_seconds
from airflow_provider_ims.failures import failures, set_retry_policy
from airflow_provider_ims.tasks import deadline, defer_until_over, is_known_at_parsing, success

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_ims.hooks import ImsHook
    from airflow_provider_ims.waiting import Watch


class CopyImageOperator(BaseOperator):
    """Copy a private image within its region. Returns the job's id.

    With ``wait_for_completion`` the task ends when the new image is ``active``, and pushes its id as XCom ``image_id``.
    A copy that finds no free slot (five run at once in a tenant) is sent again until the timeout. Source: the IMS page
    "Replicating an Image Within a Region". Every string argument is templated.

    :param image_id: the image to copy.
    :param name: the new image's name: 1 to 128 letters, digits, ``-``, ``.``, ``_`` or spaces.
    :param description: at most 1,024 characters, no line break, no ``<`` or ``>``.
    :param cmk_id: the KMS key to encrypt the copy with. Without one the copy is not encrypted, even if the source is.
    :param enterprise_project_id: the enterprise project of the copy; default: the default one.
    :param ims_conn_id: id of the Airflow connection.
    :param wait_for_completion: whether to wait for the new image.
    :param deferrable: whether to wait in the triggerer (no worker is held), else in the worker.
    :param poll_interval: seconds between looks at the job.
    :param timeout: seconds from the try's start after which waiting is given up; the copy goes on in the cloud.
    """

    template_fields: Sequence[str] = (
        "image_id",
        "name",
        "description",
        "cmk_id",
        "enterprise_project_id",
        "ims_conn_id",
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_id = cast(str, image_id)  # these five are text once they are rendered
        self.name = cast(str, name)
        self.description = cast("str | None", description)
        self.cmk_id = cast("str | None", cmk_id)
        self.enterprise_project_id = cast("str | None", enterprise_project_id)
        self.ims_conn_id = ims_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        set_retry_policy(
            self, TaskDeferralError, TaskDeferralTimeout
        )  # the copy has begun: a retry would begin another
        check_seconds("poll_interval", poll_interval)
        check_seconds("timeout", timeout)
        checks = ((check_image_id, image_id), (check_name, name), (check_description, description))
        for check, value in checks:
            if is_known_at_parsing(value):
                check(value)

    def execute(self, context: Context) -> str:
        from airflow_provider_ims.hooks import ImsHook
        from airflow_provider_ims.waiting import Watch

        last_look = deadline(context, self.timeout)
        with failures(), ImsHook(self.ims_conn_id) as hook:
            job_id = self._submit(hook, last_look)
            if self.wait_for_completion:
                self._wait(hook, Watch(hook.client, job_id, self.poll_interval, last_look), context)
        return job_id

    def execute_complete(self, context: Context, event: dict[str, Any]) -> str:
        """Take what the trigger has seen."""
        with failures():
            context["ti"].xcom_push(key="image_id", value=success(event)["image_id"])
        return str(event["job_id"])

    def _submit(self, hook: ImsHook, last_look: datetime) -> str:
        from airflow_provider_ims import protocol
        from airflow_provider_ims.waiting import submit

        check_copy(self.image_id, self.name, self.description, self.cmk_id, self.enterprise_project_id)
        order = partial(
            protocol.copy_image,
            image_id=self.image_id,
            name=self.name,
            description=self.description,
            cmk_id=self.cmk_id,
            enterprise_project_id=self.enterprise_project_id,
        )
        left = (last_look - hook.client.now()).total_seconds()
        hook.patience = max(0.0, min(hook.patience, left))
        job_id = hook.perform(submit(hook.client, order, last_look))
        self.log.info("Copying image %s to '%s': job %s", self.image_id, self.name, job_id)
        return job_id

    def _wait(self, hook: ImsHook, watch: Watch, context: Context) -> None:
        hook.patience = 0  # what fails for a moment, the next look repeats
        image = hook.perform(watch.look() if self.deferrable else watch.wait())
        if image is None:
            defer_until_over(self, self.ims_conn_id, watch)
        context["ti"].xcom_push(key="image_id", value=image.id)
