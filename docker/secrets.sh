#!/usr/bin/env bash
# Writes the secrets that are missing into a folder, one file each, readable by owner and group alone.
set -euo pipefail

folder=$1
umask 0337

write() { # NAME BYTES: so many random bytes, URL-safe; a multiple of three has no padding
    local file=$folder/$1
    [[ -s $file ]] && return
    head -c "$2" /dev/urandom | base64 -w 0 | tr '+/' '-_' >"$file.new"
    mv "$file.new" "$file"
}

rm -f "$folder"/*.new # of a start that was broken off
write fernet_key 32
write jwt_secret 48
write api_secret_key 48
write postgres_password 24
write redis_password 24
write admin_password 15
