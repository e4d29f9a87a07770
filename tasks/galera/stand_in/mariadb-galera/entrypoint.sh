#!/bin/bash
# Writes my.cnf, includes the mounted my_custom.cnf, and initialises the data of a bootstrap node. A
# node that joins gets its data from the cluster. Persisted data is never initialised again.
. /opt/bitnami/scripts/mariadb-galera/environment.sh

write_configuration() {
    cat >"$CONF" <<END
[mysqladmin]
user=${MARIADB_USER}
[mysqld]
skip_name_resolve
explicit_defaults_for_timestamp
basedir=/usr
datadir=$DATA
port=3306
tmpdir=$ROOT/tmp
socket=$SOCKET
pid_file=$ROOT/tmp/mysqld.pid
max_allowed_packet=16M
bind_address=0.0.0.0
character_set_server=utf8
binlog_format=row
log_bin=mysql-bin
[client]
port=3306
socket=$SOCKET
[galera]
wsrep_on=ON
wsrep_provider=$ROOT/lib/libgalera_smm.so
wsrep_sst_method=$MARIADB_GALERA_SST_METHOD
wsrep_slave_threads=4
wsrep_cluster_address=$(cluster_address)
wsrep_sst_auth=$MARIADB_GALERA_MARIABACKUP_USER:$MARIADB_GALERA_MARIABACKUP_PASSWORD
wsrep_cluster_name=$MARIADB_GALERA_CLUSTER_NAME
wsrep_node_name=$MARIADB_GALERA_NODE_NAME
wsrep_node_address=$MARIADB_GALERA_NODE_ADDRESS
innodb_autoinc_lock_mode=2
!include $ROOT/conf/bitnami/my_custom.cnf
END
    : >"$ROOT/conf/bitnami/my_custom.cnf"
    if [ -f "$ROOT/conf/my_custom.cnf" ]; then
        cat "$ROOT/conf/my_custom.cnf" >"$ROOT/conf/bitnami/my_custom.cnf"
    fi
}

validate() {
    bootstraps || return 0
    yes "$ALLOW_EMPTY_PASSWORD" && return 0
    [ -n "$MARIADB_ROOT_PASSWORD" ] || fail "MARIADB_ROOT_PASSWORD is empty"
    [ -n "$MARIADB_GALERA_MARIABACKUP_PASSWORD" ] || fail "MARIADB_GALERA_MARIABACKUP_PASSWORD is empty"
    [ -z "$MARIADB_USER" ] || [ -n "$MARIADB_PASSWORD" ] || fail "MARIADB_PASSWORD is empty"
    [ ${#MARIADB_ROOT_PASSWORD} -le 32 ] || fail "MARIADB_ROOT_PASSWORD has more than 32 characters"
}

keep_data() {
    bootstraps || return 0
    if yes "$MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP"; then
        sed -i 's/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/' "$STATE"
    fi
    grep -q '^safe_to_bootstrap: 1' "$STATE" || fail "It is not safe to bootstrap form this node" \
        "('safe_to_bootstrap=0' is set in 'grastate.dat'). If you want to force bootstrap, set the" \
        "environment variable MARIADB_GALERA_FORCE_SAFETOBOOTSTRAP=yes"
}

literal() { printf "'%s'" "${1//\'/\'\'}"; }

initial_statements() {
    local root user
    root=$(literal "$MARIADB_ROOT_USER") user=$(literal "$MARIADB_USER")
    echo "delete from mysql.global_priv where user not in ('mariadb.sys');"
    echo "flush privileges;"
    echo "create user $root@'%' identified by $(literal "$MARIADB_ROOT_PASSWORD");"
    echo "grant all on *.* to $root@'%' with grant option;"
    if [ -n "$MARIADB_DATABASE" ]; then
        echo "create database if not exists \`$MARIADB_DATABASE\`" \
            "${MARIADB_CHARACTER_SET:+character set $MARIADB_CHARACTER_SET}" \
            "${MARIADB_COLLATE:+collate $MARIADB_COLLATE};"
    fi
    if [ -n "$MARIADB_USER" ]; then
        echo "create user $user@'%' identified by $(literal "$MARIADB_PASSWORD");"
        [ -z "$MARIADB_DATABASE" ] || echo "grant all on \`$MARIADB_DATABASE\`.* to $user@'%';"
    fi
    echo "create user $(literal "$MARIADB_GALERA_MARIABACKUP_USER")@'localhost'" \
        "identified by $(literal "$MARIADB_GALERA_MARIABACKUP_PASSWORD");"
    echo "grant reload, process, lock tables, replication client on *.*" \
        "to $(literal "$MARIADB_GALERA_MARIABACKUP_USER")@'localhost';"
    echo "grant replication client on *.* to $(literal "$MARIADB_REPLICATION_USER")@'%'" \
        "identified by $(literal "$MARIADB_REPLICATION_PASSWORD");"
    echo "flush privileges;"
}

initialise() {
    say "initialising the data of a new cluster"
    # In a folder beside the data, which becomes the data at once: a first start that was interrupted
    # leaves nothing that looks like a database.
    local first=$VOLUME/.first_start
    rm -rf "$first" && mkdir "$first"
    mariadb-install-db --defaults-file="$CONF" --datadir="$first" --skip-test-db \
        --auth-root-authentication-method=normal >/dev/null
    # One statement a line: that is how the server reads them here.
    initial_statements | mariadbd --defaults-file="$CONF" --datadir="$first" --bootstrap \
        --wsrep-on=OFF --wsrep-provider=none
    rm -rf "$DATA" && mv "$first" "$DATA"
}

case $* in
*/run.sh)
    mkdir -p "$DATA" "$VOLUME/.bootstrap" 2>/dev/null && [ -w "$DATA" ] \
        || fail "$VOLUME can not be written by user $(id -u)"
    rm -f "$ROOT/tmp/mysqld.pid"
    validate
    write_configuration
    if [ -e "$DATA/mysql" ]; then
        keep_data
    elif bootstraps; then
        initialise
    fi
    ;;
esac
exec "$@"
