#!/bin/bash
# As the official images': root reads the password's file and prepares the folder, then root's rights are given up.
set -euo pipefail

if [[ $1 == redis-server ]]; then
    chown redis /data
    exec gosu redis "$@"
fi

data=/var/lib/postgresql/data
chown postgres "$data"
if [[ ! -s $data/PG_VERSION ]]; then
    install --owner=postgres --mode=0400 "$POSTGRES_PASSWORD_FILE" /tmp/password
    gosu postgres initdb --pgdata="$data" --username="$POSTGRES_USER" --auth=scram-sha-256 --pwfile=/tmp/password
    gosu postgres pg_ctl --pgdata="$data" --wait --options="-c listen_addresses=''" start
    PGPASSWORD=$(</tmp/password) createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
    gosu postgres pg_ctl --pgdata="$data" --wait stop
    echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
    rm /tmp/password
fi
exec gosu postgres postgres -D "$data" -c listen_addresses='*'
