"""Ends well if the job of this kind on this host has a heartbeat of the last minute; for health checks.

It asks what `airflow jobs check --local` asks, but without importing Airflow, which on a busy machine takes longer than
a health check may. `python alive.py TriggererJob`
"""

import os
import shlex
import socket
import subprocess
import sys

import psycopg2

ALIVE = """
    SELECT FROM job WHERE job_type = %s AND hostname = %s AND state = 'running'
    AND latest_heartbeat > now() - interval '1 minute'
"""

command = shlex.split(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD"])
url = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own setting
with psycopg2.connect(url.replace("+psycopg2", ""), connect_timeout=5) as connection, connection.cursor() as cursor:
    cursor.execute(ALIVE, (sys.argv[1], socket.gethostname()))
    sys.exit(None if cursor.rowcount else f"no heartbeat of a {sys.argv[1]} on {socket.gethostname()} within a minute")
