"""Copy one image by hand: press Trigger, fill in the form, and read the new image's id in the last task's XCom."""

from __future__ import annotations

from airflow.sdk import DAG, Param, get_current_context, task

from airflow_provider_ims.operators import CopyImageOperator
from airflow_provider_ims.sensors import JobSensor

with DAG(
    "copy_image_by_hand",
    description="Copy one image, chosen in the trigger form",
    schedule=None,
    doc_md=__doc__,
    tags=["ims", "example"],
    default_args={"retries": 2},
    params={
        "image_id": Param(
            "465076de-dc36-4aec-80f5-ef9d8009428f",
            type="string",
            format="uuid",
            title="Source image",
            description="The id (a UUID) of a private, active image. The default is the simulator's.",
        ),
        "name": Param(
            "copied-by-hand",
            type="string",
            pattern=r"^[\w\-.]([\w\-. ]{0,126}[\w\-.])?$",
            title="Name of the copy",
            description="1 to 128 letters, digits, hyphens, dots, underscores or spaces; no space at either end.",
        ),
        "description": Param(
            None,
            type=["null", "string"],
            pattern=r"^[^\r\n<>]{0,980}$",
            title="Description",
            description="At most 980 characters, no line break, no '<' or '>'.",
        ),
        "cmk_id": Param(
            None,
            type=["null", "string"],
            title="Encryption key ID",
            description="The id of the KMS key to encrypt the copy with. Without one the copy is not encrypted.",
        ),
        "allow_decryption": Param(
            False,
            type="boolean",
            title="Allow decryption",
            description="Whether an encrypted image may get a copy that is not encrypted.",
        ),
        "copy_key": Param(
            None,
            type=["null", "string"],
            title="Copy key",
            description="To take up a copy begun before: the copy key in its task's log; ask for the same as then.",
        ),
        "wait": Param(
            True,
            type="boolean",
            title="Wait for the copy",
            description="Whether the run ends when the new image is there, else as soon as the copy has begun.",
        ),
    },
) as dag:
    copy = CopyImageOperator(
        task_id="copy_image",
        image_id="{{ params.image_id }}",
        name="{{ params.name }}",
        description="{{ params.description or '' }}",
        cmk_id="{{ params.cmk_id or '' }}",
        allow_decryption="{{ params.allow_decryption }}",
        copy_key="{{ params.copy_key or '' }}",
    )

    @task.short_circuit
    def wait_or_not() -> bool:
        return bool(get_current_context()["params"]["wait"])

    wait = JobSensor(task_id="wait_for_copy", job_id=copy.output, poke_interval=10)  # a person is waiting
    copy >> wait_or_not() >> wait
