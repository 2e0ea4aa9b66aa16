"""What ``airflow ims`` understands. Loaded with each ``airflow`` command, so it imports no command's module."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable

from airflow.cli.cli_config import (
    ARG_OUTPUT,
    ARG_VERBOSE,
    ARG_YES,
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
)

from airflow_provider_ims.arguments import check_image_id, check_job_id
from airflow_provider_ims.errors import ArgumentError

EXIT_STATUS = """
exit status: 0 if it worked; 1 if the cloud refused, the job failed, or the copy that was begun is not as asked or
cannot be noted; 2 if an argument or the connection is wrong; 3 if time ran out, while the job goes on; 4 if the cloud
cannot be asked for the moment, so try again; 130 after Ctrl-C.
"""
RESULTS = "Standard output has the result and nothing else; what happens meanwhile goes to standard error."


def _checked(check: Callable[[str], None]) -> Callable[[str], str]:
    """A type for argparse: the text, if it is well-formed."""

    def text(value: str) -> str:
        try:
            check(value)
        except ArgumentError as error:
            raise ArgumentTypeError(error.message) from None
        return value

    return text


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 < seconds <= 1e8:
        raise ValueError
    return seconds


_seconds.__name__ = "number of seconds"  # what argparse calls it

CONN_ID = Arg(("--conn-id",), help="Airflow connection of type ims (default: ims_default)", default="ims_default")
WAIT = Arg(("-w", "--wait"), help="Wait until the new image is active", action="store_true")
TIMEOUT = Arg(("--timeout",), help="Seconds to wait at most (default: 7200)", type=_seconds, default=7200.0)
POLL = Arg(("--poll-interval",), help="Seconds between looks (default: 10)", type=_seconds, default=10.0)
COMMON = (CONN_ID, ARG_OUTPUT, ARG_VERBOSE)

CHECK = ActionCommand(
    name="check",
    help="Test a connection: log in at IAM, and look at IMS",
    description="Tests a connection: logs in at IAM, looks at the images and the quota, and says what is to be mended.",
    epilog=EXIT_STATUS,
    func=lazy_load_command("airflow_provider_ims.cli.commands.check"),
    args=COMMON,
)
IMAGES = ActionCommand(
    name="images",
    help="List images",
    description="Lists the images that match all filters, the newest first.",
    epilog=EXIT_STATUS,
    func=lazy_load_command("airflow_provider_ims.cli.commands.images"),
    args=(
        Arg(("--name",), help="The exact name"),
        Arg(("--status",), help="Such as active", choices=("queued", "saving", "active", "killed", "deleted")),
        Arg(
            ("--type",),
            help="private (default), gold (public), shared or market",
            choices=("private", "gold", "shared", "market"),
            default="private",
        ),
        Arg(("--tag",), help="A tag, as KEY=VALUE"),
        Arg(("--limit",), help="Show so many at most (default: all)", type=int),
        *COMMON,
    ),
)
COPY = ActionCommand(
    name="copy",
    help="Copy an image within its region",
    description="Copies a private image within its region. The same command again takes up the same copy, today or "
    "tomorrow, after whatever broke it: one image for a source and a name, or a --copy-key. " + RESULTS,
    epilog=EXIT_STATUS,
    func=lazy_load_command("airflow_provider_ims.cli.commands.copy"),
    args=(
        Arg(("image_id",), metavar="IMAGE", help="Id of the image to copy", type=_checked(check_image_id)),
        Arg(("--name",), help="The copy's name: 1 to 128 letters, digits, '-', '.', '_' or spaces", required=True),
        Arg(("--description",), help="The copy's description"),
        Arg(("--cmk-id",), help="KMS key to encrypt the copy with; without one it is not encrypted"),
        Arg(("--enterprise-project-id",), help="Enterprise project of the copy"),
        Arg(("--allow-decryption",), help="Copy an encrypted image without encryption", action="store_true"),
        Arg(("--copy-key",), help="One image for this key and source (default: made of source and name)"),
        WAIT,
        TIMEOUT,
        POLL,
        *COMMON,
    ),
)
JOB = ActionCommand(
    name="job",
    help="Show a job, or wait for it",
    description="Shows how far a job has come. " + RESULTS,
    epilog=EXIT_STATUS,
    func=lazy_load_command("airflow_provider_ims.cli.commands.job"),
    args=(
        Arg(("job_id",), metavar="ID", help="Id of the job, or image:<image id>", type=_checked(check_job_id)),
        WAIT,
        TIMEOUT,
        POLL,
        *COMMON,
    ),
)
PROBE = ActionCommand(
    name="probe",
    help="Copy a small image once, and see what the documentation leaves open",
    description="Copies an image once, looks closely, deletes the copy, and writes a report without secrets or names "
    "of the account, and a settings file that makes the simulator behave as this cloud does. Asks before it makes "
    "anything. " + RESULTS,
    epilog=EXIT_STATUS,
    func=lazy_load_command("airflow_provider_ims.cli.probing.probe"),
    args=(
        Arg(
            ("--image",),
            dest="image_id",
            metavar="ID",
            help="A small image that is not encrypted; it is only read",
            type=_checked(check_image_id),
            required=True,
        ),
        Arg(("--duplicate-name",), help="Also begin a second copy with the name of the first", action="store_true"),
        Arg(("--concurrency",), help="Also begin six copies at once, one more than documented", action="store_true"),
        Arg(
            ("--report",), metavar="FILE", help="The report (default: ims-probe-<time>.md); the settings lie beside it"
        ),
        ARG_YES,
        TIMEOUT,
        Arg(("--poll-interval",), help="Seconds between looks, at most (default: 5)", type=_seconds, default=5.0),
        *COMMON,
    ),
)


def commands() -> list[CLICommand]:
    """What Airflow adds to its command line."""
    group = GroupCommand(
        name="ims",
        help="Image Management Service (OTC, Huawei Cloud): check, images, copy, job, probe",
        subcommands=(CHECK, IMAGES, COPY, JOB, PROBE),
    )
    return [group]
