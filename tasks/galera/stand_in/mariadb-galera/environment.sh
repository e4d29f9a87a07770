# What both scripts know: the variables of the real image that this stand-in understands, and paths.
set -euo pipefail

readonly VOLUME=/bitnami/mariadb ROOT=/opt/bitnami/mariadb
readonly DATA=$VOLUME/data CONF=$ROOT/conf/my.cnf SOCKET=$ROOT/tmp/mysql.sock
readonly BOOTED=$VOLUME/.bootstrap/done STATE=$DATA/grastate.dat

: "${MARIADB_ROOT_USER:=root}" "${MARIADB_ROOT_PASSWORD:=}"
: "${MARIADB_USER:=}" "${MARIADB_PASSWORD:=}" "${MARIADB_DATABASE:=}"
: "${MARIADB_CHARACTER_SET:=}" "${MARIADB_COLLATE:=}" "${MARIADB_EXTRA_FLAGS:=}"
: "${MARIADB_REPLICATION_USER:=monitor}" "${MARIADB_REPLICATION_PASSWORD:=monitor}"
: "${MARIADB_GALERA_CLUSTER_BOOTSTRAP:=}" "${MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP:=}"
: "${MARIADB_GALERA_CLUSTER_NAME:=galera}" "${MARIADB_GALERA_CLUSTER_ADDRESS:=}"
: "${MARIADB_GALERA_NODE_NAME:=$(hostname)}" "${MARIADB_GALERA_NODE_ADDRESS:=$(hostname -i)}"
: "${MARIADB_GALERA_SST_METHOD:=mariabackup}"
: "${MARIADB_GALERA_MARIABACKUP_USER:=mariabackup}" "${MARIADB_GALERA_MARIABACKUP_PASSWORD:=}"
: "${MARIADB_INIT_SLEEP_TIME:=}" "${ALLOW_EMPTY_PASSWORD:=no}"

say() { printf 'mariadb-galera stand-in: %s\n' "$*" >&2; }
fail() { say "ERROR $*"; exit 1; }
yes() { [[ "${1,,}" =~ ^(1|yes|true)$ ]]; }

# Other nodes are addresses in the cluster address that are not this node's own.
other_nodes() {
    local own node
    own=" $(hostname -I) $MARIADB_GALERA_NODE_ADDRESS "
    for node in $(tr ',' ' ' <<<"${MARIADB_GALERA_CLUSTER_ADDRESS#*://}"); do
        [[ $own == *" ${node%%:*} "* ]] || return 0
    done
    return 1
}

# As the real image: when told so, and on the first start of a node that knows of no other.
bootstraps() {
    yes "$MARIADB_GALERA_CLUSTER_BOOTSTRAP" || { [ ! -e "$BOOTED" ] && ! other_nodes; }
}

cluster_address() {
    if bootstraps; then echo gcomm://; else echo "$MARIADB_GALERA_CLUSTER_ADDRESS"; fi
}
