"""The whole chain on a real Airflow, with Keystone as IAM: begin, defer, lose the token, go on, end."""

from __future__ import annotations

import json

from airflow_provider_ims.simulator.seeds import PLAIN_IMAGE
from tests.others.conftest import Account, User
from tests.others.openstack import Keystone
from tests.others.table import Seen
from tests.real.conftest import DAG_FILES
from tests.real.stack import Stack


def test_a_copy_on_a_real_airflow(keystone: Keystone, account: Account, user: User, seen: Seen) -> None:
    settings = {"iam-url": keystone.url, "project-id": account.project_id, "copy-seconds": "25"}
    arguments = [text for name, value in settings.items() for text in (f"--{name}", value)]
    dags = {"copies.py": (DAG_FILES / "copies.py").read_text()}
    connection = user.connect()
    with Stack(dag_files=dags, simulator_arguments=arguments) as stack:
        account.lead_to(stack.simulator.url)
        fields = {"connection_id": "ims_keystone", "extra": json.dumps(connection.pop("extra"))}
        stack.api.post("/connections", connection | fields)
        run = stack.api.start("copies_and_sensors_deferred", {"ims_conn_id": "ims_keystone"})
        stack.api.wait_for("a look at the job", lambda: bool(looks(stack)))
        keystone.revoke(looks(stack)[0])
        run.wait(180)
        assert run.state == "success", run.log("wait_for_copy", map_index=0)
        (copy,) = (image for image in stack.simulator.control("state")["images"] if "__data_origin" in image)
        assert (copy["id"], copy["status"]) == (run.xcom("wait_for_copy", map_index=0), "active")
        assert copy["__data_origin"].endswith(PLAIN_IMAGE)
        logs = "".join(run.log(task["task_id"], map_index=task["map_index"]) for task in run.tasks)
    assert user.log_ins == 2
    assert user.password not in logs
    came = f"success, one image; {user.log_ins} log-ins, the second after the token was revoked"
    seen.tell("keystone", "a copy on a real Airflow, deferred", came)


def looks(stack: Stack) -> list[str]:
    """The tokens that the looks at jobs have come with."""
    asked = stack.simulator.control("requests")["requests"]
    return [each["headers"]["x-auth-token"] for each in asked if each["route"] == "job"]
