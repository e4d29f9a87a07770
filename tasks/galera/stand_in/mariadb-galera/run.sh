#!/bin/bash
# Becomes the server.
. /opt/bitnami/scripts/mariadb-galera/environment.sh

flags=()
if bootstraps; then flags+=(--wsrep-new-cluster); fi
read -r -a extra <<<"$MARIADB_EXTRA_FLAGS"
touch "$BOOTED"
exec mariadbd --defaults-file="$CONF" "${flags[@]}" "${extra[@]}" "$@"
