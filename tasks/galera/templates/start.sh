#!/bin/bash
# Managed by kbz (module galera). The image's entry point runs its setup only before run.sh itself, so this runs it.
#
# A server that was killed does not know its position: grastate.dat says -1. Started like that together, nodes would
# agree on no history at all and never compare their data. So the server first finds its position, as galera_recovery
# does where systemd starts it, and is started from there.
set -euo pipefail
volume=/bitnami/mariadb
state=$volume/data/grastate.dat

# A first start that was cut off within the setup left a database without users, which the image would keep. Nobody
# has ever written to it: the setup never ended, and the node has not served.
if [ "${KBZ_FIRST_START:-}" = yes ] && [ -e "$volume/.kbz-first-start" ] && [ ! -e "$volume/.bootstrap/done" ]; then
    rm -rf "$volume/data" "$volume/.bootstrap"
fi

if ! /opt/bitnami/scripts/mariadb-galera/setup.sh; then
    echo "kbz: the image's setup failed; what its own server said is not kept by the image" >&2
    exit 1
fi

if [ -f "$state" ] && grep -Eq '^seqno:\s*-1' "$state" && ! grep -Eq '^uuid:\s*0{8}-' "$state"; then
    log=$(/opt/bitnami/mariadb/sbin/mysqld --defaults-file=/opt/bitnami/mariadb/conf/my.cnf \
        --datadir="$volume/data" --wsrep-recover 2>&1) || true
    position=$(sed -n 's/.*WSREP: Recovered position: *//p' <<<"$log" | tail -n 1)
    if [ -z "$position" ]; then
        echo "$log" >&2
        echo "kbz: the server does not find its position; it is not started without one" >&2
        exit 1
    fi
    echo "kbz: starts from $position" >&2
    export MARIADB_EXTRA_FLAGS="${MARIADB_EXTRA_FLAGS:-} --wsrep-start-position=$position"
fi
exec "$@"
