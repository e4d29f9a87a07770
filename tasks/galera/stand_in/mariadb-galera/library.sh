# What all scripts of this stand-in know. Each rule is a line of ../mariadb-galera.yaml; the words are our own.
# shellcheck shell=bash
set -o errexit -o nounset -o pipefail

readonly ROOT=/opt/bitnami/mariadb VOLUME=/bitnami/mariadb
readonly CONF=$ROOT/conf/my.cnf MOUNTED=$ROOT/conf/my_custom.cnf INCLUDED=$ROOT/conf/bitnami/my_custom.cnf
readonly SOCKET=$ROOT/tmp/mysql.sock PID_FILE=$ROOT/tmp/mysqld.pid
readonly DATA=$VOLUME/data BOOTED=$VOLUME/.bootstrap/done STATE=$VOLUME/data/grastate.dat

# A variable NAME_FILE names a file whose content is the value of NAME.
for name in MARIADB_ROOT_PASSWORD MARIADB_PASSWORD MARIADB_REPLICATION_PASSWORD MARIADB_GALERA_MARIABACKUP_PASSWORD; do
    file=${name}_FILE
    if [ -r "${!file:-}" ]; then export "$name=$(<"${!file}")"; fi
done
unset name file

: "${ALLOW_EMPTY_PASSWORD:=no}" "${BITNAMI_DEBUG:=false}"
: "${MARIADB_ROOT_USER:=root}" "${MARIADB_ROOT_PASSWORD:=}" "${MARIADB_SKIP_TEST_DB:=no}"
: "${MARIADB_USER:=}" "${MARIADB_PASSWORD:=}" "${MARIADB_DATABASE:=}"
: "${MARIADB_CHARACTER_SET:=}" "${MARIADB_COLLATE:=}" "${MARIADB_BIND_ADDRESS:=}" "${MARIADB_PORT_NUMBER:=}"
: "${MARIADB_REPLICATION_USER:=monitor}" "${MARIADB_REPLICATION_PASSWORD:=monitor}"
: "${MARIADB_EXTRA_FLAGS:=}" "${MARIADB_INIT_SLEEP_TIME:=}"
: "${MARIADB_STARTUP_WAIT_RETRIES:=300}" "${MARIADB_STARTUP_WAIT_SLEEP_TIME:=2}"
: "${MARIADB_GALERA_CLUSTER_BOOTSTRAP:=}" "${MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP:=}"
: "${MARIADB_GALERA_CLUSTER_NAME:=galera}" "${MARIADB_GALERA_CLUSTER_ADDRESS:=}"
: "${MARIADB_GALERA_NODE_NAME:=}" "${MARIADB_GALERA_NODE_ADDRESS:=}"
: "${MARIADB_GALERA_SST_METHOD:=mariabackup}"
: "${MARIADB_GALERA_MARIABACKUP_USER:=mariabackup}" "${MARIADB_GALERA_MARIABACKUP_PASSWORD:=}"

log() { printf '\e[38;5;6mmariadb \e[38;5;5m%s \e[0m%b\n' "$(date +%T.%2N)" "$*" >&2; }
info() { log "\e[38;5;2mINFO \e[0m ==> $*"; }
warn() { log "\e[38;5;3mWARN \e[0m ==> $*"; }
error() { log "\e[38;5;1mERROR\e[0m ==> $*"; }

yes() { [[ ${1,,} =~ ^(1|yes|true)$ ]]; }

# What a command prints is thrown away, unless somebody debugs.
quietly() { if yes "$BITNAMI_DEBUG"; then "$@"; else "$@" >/dev/null 2>&1; fi; }

retry() { # SECONDS TIMES COMMAND...
    local pause=$1 times=$2
    shift 2
    while ! "$@"; do
        ((times -= 1)) || return 1
        sleep "$pause"
    done
}

# Another node: an address in the list that is not one of this machine's own.
other_nodes() {
    local node own=" $(hostname -i) "
    for node in $(tr ',' ' ' <<<"${MARIADB_GALERA_CLUSTER_ADDRESS#*://}"); do
        [[ $own == *" ${node%%:*} "* ]] || return 0
    done
    return 1
}

# When told so, and on the first start of a node that knows of no other.
bootstraps() {
    yes "$MARIADB_GALERA_CLUSTER_BOOTSTRAP" || { [ ! -e "$BOOTED" ] && ! other_nodes; }
}

cluster_address() {
    if bootstraps || ! other_nodes; then echo gcomm://; else echo "$MARIADB_GALERA_CLUSTER_ADDRESS"; fi
}

node_address() { echo "${MARIADB_GALERA_NODE_ADDRESS:-$(hostname -i | cut -d ' ' -f 1)}"; }
