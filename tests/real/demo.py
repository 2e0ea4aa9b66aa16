"""``make demo``: a real Airflow copies one image in the simulated cloud, and this tells what happened."""

from __future__ import annotations

import sys
import time
from typing import Any

from tests.real.processes import StackError, exit_status, pause
from tests.real.rest import OVER, Run
from tests.real.stack import Stack

DAG = "copy_image_by_hand"
NAME = "demo-copy"
PATIENCE = 180.0
"""Seconds that the run may take."""

_began = time.monotonic()


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.1f} s  {text}", flush=True)


def watch(stack: Stack, run: Run) -> None:
    """Tell each new state of the run's tasks and of the cloud's job until the run is over."""
    told: set[str] = set()
    until = time.monotonic() + PATIENCE
    over = False
    while not over:
        if time.monotonic() > until:
            raise StackError(f"the run is not over after {PATIENCE:.0f} s")
        stack.check()
        over = run.state in OVER
        news = [f"job {job['job_id']}: {job['status']}" for job in stack.simulator.control("state")["jobs"]]
        news += [f"task {task['task_id']}: {task['state']}" for task in run.tasks if task["state"]]
        for line in news:
            if line not in told:
                told.add(line)
                say(line)
        pause(0.3)


def copied(stack: Stack, run: Run, source: str) -> bool:
    """Tell what the run left behind, and whether it is what was asked for."""
    state = stack.simulator.control("state")
    job_id, image_id = run.xcom("copy_image"), run.xcom("wait_for_copy")
    image: dict[str, Any] = next((each for each in state["images"] if each["id"] == image_id), {})
    arrivals = stack.simulator.control("requests")["requests"]
    logins = [each for each in arrivals if each["method"] == "POST" and each["path"].endswith("/auth/tokens")]
    say(f"run {run.run_id}: {run.state}")
    print(f"\n  source image  {source}")
    print(f"  job           {job_id}")
    print(f"  new image     {image_id}")
    print(f"  its name      {image.get('name')}")
    print(f"  its status    {image.get('status')}")
    print(f"  the run took  {run.seconds:.1f} s")
    print(f"  log-ins       {len(logins)} (of {len(arrivals)} requests to the cloud)\n", flush=True)
    wanted = {"name": NAME, "status": "active"}
    return run.state == "success" and image_id != source and wanted.items() <= image.items()


def show_logs(run: Run) -> None:
    """Print the log of each task that did not succeed."""
    for task in run.tasks:
        if task["state"] != "success" and task["try_number"]:
            print(f"--- log of {task['task_id']}, {task['state']}\n{run.log(task['task_id'], task['try_number'])}")


def demonstrate() -> int:
    """Run the story once. Returns the exit status."""
    say("starting the simulated cloud and Airflow")
    with Stack() as stack:
        version = stack.api.get("/version")["version"]
        say(f"Airflow {version} at {stack.url}, the cloud at {stack.simulator.url}")
        source = stack.simulator.images[0]
        run = stack.api.start(DAG, {"image_id": source, "name": NAME})
        say(f"DAG {DAG} started, to copy {source} as {NAME}")
        watch(stack, run)
        done = copied(stack, run, source)
        if not done:
            show_logs(run)
        say("stopping everything")
    say("the image was copied" if done else "the image was NOT copied")
    return 0 if done else 1


def main() -> int:
    """The command: 0 only if the cloud has an active copy; 128 + the signal's number if stopped by one."""
    return exit_status(demonstrate)


if __name__ == "__main__":
    sys.exit(main())
