"""``make up``: Airflow's UI beside the simulated cloud, to play with until Ctrl-C."""

from __future__ import annotations

import sys

from tests.real.processes import InterruptedBySignal, StackError, free_port, heed_signals, pause
from tests.real.stack import ASSETS_START_RUNS, USER, Stack

WISHED_PORT = 8080

_WELCOME = """
  Airflow     {url}
  log in as   {user}
  password    {password}
  the cloud   {cloud}

Connection ims_default, pool ims_copies and the example DAGs are there. Source images to copy:

{images}

A run starts from the UI, by its schedule, or by an asset's event. Everything, runs included, is gone after Ctrl-C.
"""


def serve() -> None:
    """Start everything and stay until a signal comes or a part dies."""
    print("Starting the simulated cloud and Airflow ...", flush=True)
    with Stack(port=free_port(WISHED_PORT), env=ASSETS_START_RUNS) as stack:
        seeded = stack.simulator.image_lines
        images = "\n".join(f"  {line}" for line in seeded)
        values = {"url": stack.url, "user": USER, "password": stack.password, "cloud": stack.simulator.url}
        print(_WELCOME.format(images=images, **values), flush=True)
        while True:
            stack.check()
            pause(1)


def main() -> int:
    """The command: 0 after Ctrl-C, 1 if a part died."""
    heed_signals()
    try:
        serve()
    except InterruptedBySignal as stopped:
        print("Stopped.", flush=True)
        return 0 if stopped.is_ctrl_c else stopped.exit_code
    except StackError as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
