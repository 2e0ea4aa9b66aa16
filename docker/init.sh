#!/usr/bin/env bash
# Makes Airflow's database ready: its tables, the administrator, the pool. What is there already stays as it is.
set -euo pipefail

secrets=${1:-/run/ims/secrets}

airflow db migrate
password=$(<"$secrets/admin_password")
# by standard input: an argument would be seen in the list of processes
printf '%s\n%s\n' "$password" "$password" |
    airflow users create --username admin --firstname Airflow --lastname Admin --role Admin --email admin@example.org
airflow pools get ims_copies >/dev/null 2>&1 ||
    airflow pools set ims_copies 5 "Copies that IMS runs at once" --include-deferred
