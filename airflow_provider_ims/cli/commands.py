"""The commands of ``airflow ims``: each asks the cloud with a hook, and prints one result."""

from __future__ import annotations

import logging
from argparse import Namespace
from datetime import timedelta
from itertools import islice
from typing import Any

from msgspec.structs import asdict

from airflow_provider_ims.arguments import LONGEST_MARKED_DESCRIPTION, check_copy
from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.cli.terminal import command, exit_status
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.errors import ArgumentError, CopyConflictError, ImsError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.hooks.connection import airflow_home
from airflow_provider_ims.idempotency import Order, account
from airflow_provider_ims.models import Image, Job, JobStatus
from airflow_provider_ims.waiting import Watch

log = logging.getLogger(__name__)
Row = dict[str, Any]
GIB = 1024**3
AGAIN = "The same command takes it up again."


@command
def check(args: Namespace) -> int:
    """Test a connection."""
    with ImsBaseHook(args.conn_id) as hook:
        found = hook.check()
    if args.output == "table":
        print(found)
    else:
        args.show([asdict(found)])
    return exit_status(found.error) if found.error else 0


@command
def images(args: Namespace) -> int:
    """List images."""
    if args.limit is not None and args.limit < 1:
        raise ArgumentError(f"--limit is {args.limit}: give a number of images, at least 1.")
    filters = {"name": args.name, "status": args.status, "__imagetype": args.type, "tag": args.tag}
    with ImsBaseHook(args.conn_id) as hook:
        found = [image_row(image) for image in islice(hook.list_images(**filters), args.limit)]
    args.show(found)
    return 0


@command
def copy(args: Namespace) -> int:
    """Copy an image, and wait for it where asked."""
    check_copy(
        args.image_id,
        args.name,
        args.description,
        args.cmk_id,
        args.enterprise_project_id,
        args.copy_key,
        longest=LONGEST_MARKED_DESCRIPTION,
    )
    image_id = args.image_id.lower()
    order = Order(
        key=args.copy_key or f"airflow ims copy {image_id} {args.name}",
        image_id=image_id,
        name=args.name,
        description=args.description,
        cmk_id=args.cmk_id,
        enterprise_project_id=args.enterprise_project_id,
    )
    with ImsBaseHook(args.conn_id) as hook:
        notes = notes_of(order, hook)
        job_id, order = begin(args, hook, order, notes)
        image = wait(args, hook, job_id, order) if args.wait else None
        found = seen(hook, job_id, image)
    args.show([job_row(found) | {"image_name": args.name, "copy_key": order.key}])
    return 1 if found.status is JobStatus.FAIL else 0


def notes_of(order: Order, hook: ImsBaseHook) -> FileNotes:
    """The notes of this order in this project: the same order in another one is another copy."""
    settings, who = hook.client.settings, hook.client.settings.credentials
    account = who.account or hook.perform(hook.client.token()).project_id
    place = f"{who.iam_url} {account} {who.project} {settings.region} {settings.ims_url}"
    asked = {"name": order.name, "cmk_id": (order.cmk_id or "").lower() or None}
    return FileNotes(airflow_home() / "ims-copies", f"{place} {order.image_id} {order.key}", asked)


def begin(args: Namespace, hook: ImsBaseHook, order: Order, notes: FileNotes) -> tuple[str, Order]:
    """Begin the copy or take it up; its job, and the order as earlier tries have left it."""
    with notes.held():
        noted = notes.read()
        submission = Submission(hook.client, order, notes, allow_decryption=args.allow_decryption)
        args.on_interrupt = lambda: f"{account(order.key, submission.job_id)} {AGAIN}"
        job_id = hook.perform(submission.submit(noted))
    if job_id == noted.get("job_id"):
        for name, asked in notes.asked.items():
            if noted.get(name) != asked:
                raise CopyConflictError(
                    f"Job {job_id} was begun for copy key '{order.key}' with {name} {noted.get(name)!r}, and {asked!r} "
                    "is asked for: ask for the same, or give another --copy-key for another image."
                )
    return job_id, submission.order


@command
def job(args: Namespace) -> int:
    """Show a job, or wait for it."""
    with ImsBaseHook(args.conn_id) as hook:
        args.on_interrupt = lambda: f"{account(None, args.job_id)} {AGAIN}"
        image = wait(args, hook, args.job_id) if args.wait else None
        found = seen(hook, args.job_id, image) if image else hook.get_job(args.job_id)
    args.show([job_row(found)])
    return 1 if found.status is JobStatus.FAIL else 0


def wait(args: Namespace, hook: ImsBaseHook, job_id: str, order: Order | None = None) -> Image:
    """Look until the image is there, and show how far it is."""
    deadline = hook.client.now() + timedelta(seconds=args.timeout)
    watch = Watch(hook.client, job_id, args.poll_interval, deadline, order)
    patience, hook.patience = hook.patience, 0.0  # what fails for a moment, the next look repeats
    with args.said.progress(f"Job {job_id}") as tell:
        while (image := hook.perform(watch.look())) is None:
            tell(watch.state, watch.progress)
            hook.sleep(watch.until_next_look())
    hook.patience = patience
    return image


def seen(hook: ImsBaseHook, job_id: str, image: Image | None) -> Job:
    """The job as it is now, or what is known of it where it cannot be looked at: that it was begun, or its image."""
    try:
        return hook.get_job(job_id)
    except ImsError as error:
        log.warning("%s", error)
        if image is None:
            return Job(job_id, JobStatus.UNKNOWN, str(JobStatus.UNKNOWN))
        return Job(job_id, JobStatus.SUCCESS, str(JobStatus.SUCCESS), image.id, image.name)


def image_row(image: Image) -> Row:
    """What is shown of an image."""
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status,
        "size_gib": None if image.size is None else round(image.size / GIB, 1),
        "cmk_id": image.cmk_id,
        "created_at": image.created_at and f"{image.created_at:%Y-%m-%d %H:%M:%S}",
        "source_image_id": image.source_id,
    }


def job_row(found: Job) -> Row:
    """What is shown of a job."""
    shown = ("job_id", "image_id", "image_name", "error_code", "fail_reason", "progress")
    instants = {name: (at := getattr(found, name)) and f"{at:%Y-%m-%d %H:%M:%S}" for name in ("begin_time", "end_time")}
    return {"status": found.reported_status} | {name: getattr(found, name) for name in shown} | instants
