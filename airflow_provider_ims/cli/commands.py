"""The commands of ``airflow ims``: each asks the cloud with a hook, and prints one result."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from datetime import timedelta
from itertools import islice
from typing import Any

from airflow_provider_ims.arguments import check_copy
from airflow_provider_ims.cli.notes import FileNotes
from airflow_provider_ims.cli.terminal import command
from airflow_provider_ims.copying import Submission
from airflow_provider_ims.errors import ArgumentError
from airflow_provider_ims.hooks.base import ImsBaseHook
from airflow_provider_ims.hooks.connection import airflow_home
from airflow_provider_ims.idempotency import Order, account
from airflow_provider_ims.models import Image, Job, JobStatus
from airflow_provider_ims.waiting import Watch

Row = dict[str, Any]
GIB = 1024**3


@command
def check(args: Namespace) -> int:
    """Test a connection."""
    with ImsBaseHook(args.conn_id) as hook:
        found = hook.check()
    row = asdict(found)
    if args.output == "table":
        print(found)
    else:
        args.show([row])
    return 0 if found.works else 1


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
    check_copy(args.image_id, args.name, args.description, args.cmk_id, args.enterprise_project_id, args.copy_key)
    key = args.copy_key or f"airflow ims copy {args.image_id} {args.name}"
    order = Order(
        key=key,
        image_id=args.image_id,
        name=args.name,
        description=args.description,
        cmk_id=args.cmk_id,
        enterprise_project_id=args.enterprise_project_id,
    )
    with ImsBaseHook(args.conn_id) as hook:
        notes = FileNotes(airflow_home() / "ims-copies", key, args.image_id)
        noted = notes.read()
        submission = Submission(hook.client, order, notes, allow_decryption=args.allow_decryption)
        args.on_interrupt = lambda: account(key, submission.job_id)
        job_id = hook.perform(submission.submit(noted))
        if args.wait:
            wait(args, hook, job_id, submission.order)
            notes.remove()
        found = hook.get_job(job_id)
    args.show([job_row(found) | {"image_name": args.name, "copy_key": key}])
    return 0


@command
def job(args: Namespace) -> int:
    """Show a job, or wait for it."""
    with ImsBaseHook(args.conn_id) as hook:
        args.on_interrupt = lambda: account(None, args.job_id)
        if args.wait:
            wait(args, hook, args.job_id)
        found = hook.get_job(args.job_id)
    args.show([job_row(found)])
    return 1 if found.status is JobStatus.FAIL else 0


def wait(args: Namespace, hook: ImsBaseHook, job_id: str, order: Order | None = None) -> Image:
    """Look until the image is there, and show how far it is."""
    deadline = hook.client.now() + timedelta(seconds=args.timeout)
    watch = Watch(hook.client, job_id, args.poll_interval, deadline, order)
    hook.patience = 0.0  # what fails for a moment, the next look repeats
    with args.said.progress(f"Job {job_id}") as tell:
        while (image := hook.perform(watch.look())) is None:
            tell(watch.state, watch.progress)
            hook.sleep(watch.until_next_look())
    return image


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
