#!/bin/bash
# Becomes the server. The folder of the mark is made by setup.sh: without it, this ends here.
. /opt/bitnami/scripts/mariadb-galera/library.sh
read -r -a extra <<<"$MARIADB_EXTRA_FLAGS"
info "** Starting MariaDB **"
info "Setting previous boot"
touch "$BOOTED"
exec "$ROOT/sbin/mysqld" --defaults-file="$CONF" --basedir="$ROOT" --datadir="$DATA" --socket="$SOCKET" \
    --pid-file="$PID_FILE" "${extra[@]}" "$@"
