#!/bin/sh
# The real image can also write pgbouncer.ini from DB_HOST and other variables; kbz always mounts it.
set -e
if [ ! -f /etc/pgbouncer/pgbouncer.ini ]; then
    echo "this stand-in needs a mounted /etc/pgbouncer/pgbouncer.ini" >&2
    exit 1
fi
[ -e /etc/pgbouncer/userlist.txt ] || touch /etc/pgbouncer/userlist.txt
exec "$@"
