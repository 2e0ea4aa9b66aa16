#!/bin/bash
# As the official image's: waits for the database, runs bash and python as they are, and all else with airflow.
set -euo pipefail
umask 0002
for _ in $(seq "${CONNECTION_CHECK_MAX_COUNT:-20}"); do
    airflow db check >/dev/null 2>&1 && break
    sleep 3
done
case ${1:-} in
bash | python | airflow) exec "$@" ;;
*) exec airflow "$@" ;;
esac
