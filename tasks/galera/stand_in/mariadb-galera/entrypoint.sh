#!/bin/bash
# The setup runs for exactly one first word; with any other the command starts without it.
. /opt/bitnami/scripts/mariadb-galera/library.sh
info "kbz stand-in of mariadb-galera"
if [[ $1 == /opt/bitnami/scripts/mariadb-galera/run.sh ]]; then
    info "** Starting MariaDB setup **"
    /opt/bitnami/scripts/mariadb-galera/setup.sh
    info "** MariaDB setup finished! **"
fi
exec "$@"
