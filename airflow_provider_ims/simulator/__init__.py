"""A simulated cloud: the identity service (IAM) and the image service (IMS), for tests and trials.

``Cloud`` holds state and behaviour and opens no socket; ``running`` serves one on loopback;
``python -m airflow_provider_ims.simulator`` does so from the command line;
``pytest_plugin`` has a fixture for DAG tests.
It may import ``airflow_provider_ims.models`` and nothing else of the package.
"""

from airflow_provider_ims.simulator.cloud import Arrival, Cloud
from airflow_provider_ims.simulator.connection import connection_to
from airflow_provider_ims.simulator.faults import Fault
from airflow_provider_ims.simulator.nouns import Account, Project
from airflow_provider_ims.simulator.server import SimulatorThread, running
from airflow_provider_ims.simulator.settings import Settings
from airflow_provider_ims.simulator.wire import Reply

__all__ = [
    "Account",
    "Arrival",
    "Cloud",
    "Fault",
    "Project",
    "Reply",
    "Settings",
    "SimulatorThread",
    "connection_to",
    "running",
]
