#!/bin/bash
# Checks the variables, writes them into my.cnf, and makes the data of a new cluster, in place and with wsrep on.
. /opt/bitnami/scripts/mariadb-galera/library.sh

validate() {
    local wrong=0
    refuse() { error "$1"; wrong=1; }
    if ! yes "$ALLOW_EMPTY_PASSWORD"; then
        [ -n "$MARIADB_GALERA_MARIABACKUP_PASSWORD" ] || refuse "MARIADB_GALERA_MARIABACKUP_PASSWORD is empty or not set"
        if bootstraps; then
            [ -n "$MARIADB_ROOT_PASSWORD" ] || refuse "MARIADB_ROOT_PASSWORD is empty or not set"
            ((${#MARIADB_ROOT_PASSWORD} <= 32)) || refuse "MARIADB_ROOT_PASSWORD is longer than 32 characters"
            [ -z "$MARIADB_USER" ] || [ -n "$MARIADB_PASSWORD" ] || refuse "MARIADB_PASSWORD is empty or not set"
        fi
    fi
    [[ $MARIADB_ROOT_PASSWORD$MARIADB_PASSWORD != *\\* ]] || refuse "a password cannot contain a backslash"
    ((wrong == 0)) || exit 1
}

# In the section of my.cnf that already has the key.
conf_set() { # KEY VALUE
    local value=${2//\\/\\\\}
    value=${value//&/\\&} value=${value//|/\\|}
    info "Setting $1 option"
    sed -i "s|^$1=.*|$1=$value|" "$CONF"
}

configure() {
    info "Updating 'my.cnf' with custom configuration"
    [ -z "$MARIADB_PORT_NUMBER" ] || conf_set port "$MARIADB_PORT_NUMBER"
    [ -z "$MARIADB_CHARACTER_SET" ] || conf_set character_set_server "$MARIADB_CHARACTER_SET"
    [ -z "$MARIADB_COLLATE" ] || conf_set collation_server "$MARIADB_COLLATE"
    [ -z "$MARIADB_BIND_ADDRESS" ] || conf_set bind_address "$MARIADB_BIND_ADDRESS"
    conf_set wsrep_node_name "${MARIADB_GALERA_NODE_NAME:-$(hostname)}"
    conf_set wsrep_node_address "$(node_address)"
    conf_set wsrep_cluster_name "$MARIADB_GALERA_CLUSTER_NAME"
    conf_set wsrep_cluster_address "$(cluster_address)"
    conf_set wsrep_sst_method "$MARIADB_GALERA_SST_METHOD"
    conf_set wsrep_sst_auth "$MARIADB_GALERA_MARIABACKUP_USER:$MARIADB_GALERA_MARIABACKUP_PASSWORD"
    if [ -f "$MOUNTED" ]; then
        info "Injecting custom configuration 'my_custom.cnf'"
        cat "$MOUNTED" >"$INCLUDED"
    fi
}

server_runs() { [ -s "$PID_FILE" ] && kill -0 "$(<"$PID_FILE")" 2>/dev/null; }

sql() { # DATABASE USER [PASSWORD]
    "$ROOT/bin/mysql" --defaults-file="$CONF" -N -u "$2" "$1" ${3:+"-p$3"}
}

wsrep_ready() {
    [[ $(sql mysql root 2>/dev/null <<<"show global status like 'wsrep_ready'") == *ON ]]
}

start_server() {
    local extra
    read -r -a extra <<<"$MARIADB_EXTRA_FLAGS"
    info "Starting mariadb in background"
    quietly "$ROOT/sbin/mysqld" --defaults-file="$CONF" --basedir="$ROOT" --datadir="$DATA" --socket="$SOCKET" \
        --bind-address=127.0.0.1 "${extra[@]}" --skip-slave-start &
    if ! retry "$MARIADB_STARTUP_WAIT_SLEEP_TIME" "$MARIADB_STARTUP_WAIT_RETRIES" server_runs; then
        error "MySQL failed to start"
        return 1
    fi
    if ! retry 2 300 wsrep_ready; then
        error "WSREP did not become ready"
        return 1
    fi
    [ -z "$MARIADB_INIT_SLEEP_TIME" ] || sleep "$MARIADB_INIT_SLEEP_TIME"
}

unlocked() { ! fuser --silent "$DATA"/ibdata1; }

stop_server() {
    server_runs || return 0
    info "Stopping mariadb"
    kill "$(<"$PID_FILE")"
    if ! retry 1 125 unlocked; then
        error "mariadb failed to stop"
        return 1
    fi
}

# The words of the real image: which accounts there are afterwards is what counts.
users() {
    local root=$MARIADB_ROOT_PASSWORD
    quietly sql mysql root <<<"delete from mysql.user where user not in ('mysql.sys', 'mariadb.sys');"
    quietly sql mysql root <<END
create user '$MARIADB_ROOT_USER'@'%' identified by "$root";
grant all on *.* to '$MARIADB_ROOT_USER'@'%' with grant option;
flush privileges;
END
    if [ -n "$MARIADB_USER" ]; then
        quietly sql mysql "$MARIADB_ROOT_USER" "$root" \
            <<<"create or replace user '$MARIADB_USER'@'%' identified by \"$MARIADB_PASSWORD\";"
    fi
    if [ -n "$MARIADB_DATABASE" ]; then
        quietly sql mysql "$MARIADB_ROOT_USER" "$root" <<END
create database if not exists \`$MARIADB_DATABASE\`
    ${MARIADB_CHARACTER_SET:+character set = '$MARIADB_CHARACTER_SET'} ${MARIADB_COLLATE:+collate = '$MARIADB_COLLATE'};
${MARIADB_USER:+grant all on \`$MARIADB_DATABASE\`.* to '$MARIADB_USER'@'%';}
END
    fi
    quietly sql mysql "$MARIADB_ROOT_USER" "$root" <<END
create or replace user '$MARIADB_GALERA_MARIABACKUP_USER'@'localhost'
    identified by "$MARIADB_GALERA_MARIABACKUP_PASSWORD";
grant reload, process, lock tables, replication client on *.* to '$MARIADB_GALERA_MARIABACKUP_USER'@'localhost';
grant replication client on *.* to '$MARIADB_REPLICATION_USER'@'%' identified by "$MARIADB_REPLICATION_PASSWORD";
grant process on *.* to '$MARIADB_REPLICATION_USER'@'localhost' identified by "$MARIADB_REPLICATION_PASSWORD";
flush privileges;
END
}

restore() {
    info "Persisted data detected. Restoring"
    bootstraps || return 0
    if yes "$MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP"; then
        info "Forcing safe_to_bootstrap."
        sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' "$STATE"
    fi
    grep -qs '^safe_to_bootstrap: 1' "$STATE" && return 0
    error "It is not safe to bootstrap form this node ('safe_to_bootstrap=0' is set in 'grastate.dat')." \
        "If you want to force bootstrap, set the environment variable MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP=yes"
    exit 1
}

initialise() {
    local skip=()
    ! yes "$MARIADB_SKIP_TEST_DB" || skip=(--skip-test-db)
    rm -rf "${DATA:?}"/*
    quietly "$ROOT/bin/mysql_install_db" --defaults-file="$CONF" --basedir="$ROOT" --datadir="$DATA" \
        --auth-root-authentication-method=normal "${skip[@]}"
    start_server
    users
}

rm -f "$SOCKET.lock"
info "Validating settings in MYSQL_*/MARIADB_* env vars"
validate
trap stop_server EXIT
info "Initializing mariadb database"
rm -f "$PID_FILE"
mkdir -p "$DATA" "$ROOT/tmp" "$ROOT/logs" "${BOOTED%/*}"
if [ -e "$BOOTED" ] && ! yes "$MARIADB_GALERA_CLUSTER_BOOTSTRAP"; then
    warn "This node was previouly booted, you may need to force bootstrapping in one of the nodes."
fi
configure
if [ -e "$DATA/mysql" ]; then
    restore
elif bootstraps; then
    initialise
fi
stop_server
