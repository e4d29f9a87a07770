#!/bin/bash
# At build time: the my.cnf that the image has before anything was set up, which makes each node a cluster of its own.
. /opt/bitnami/scripts/mariadb-galera/library.sh
mkdir -p "$ROOT"/{conf,conf.default,conf/bitnami,tmp,logs} "$DATA" "${BOOTED%/*}"
cat >"$CONF" <<END
[mysqladmin]
user=

[mysqld]
skip_host_cache
skip_name_resolve
explicit_defaults_for_timestamp
basedir=$ROOT
datadir=$DATA
port=3306
tmpdir=$ROOT/tmp
socket=$SOCKET
pid_file=$PID_FILE
max_allowed_packet=16M
bind_address=0.0.0.0
log_error=$ROOT/logs/mysqld.log
character_set_server=utf8
collation_server=utf8_general_ci
plugin_dir=$ROOT/plugin
binlog_format=row
log_bin=mysql-bin

[client]
port=3306
socket=$SOCKET
default_character_set=utf8
plugin_dir=$ROOT/plugin

[galera]
wsrep_on=ON
wsrep_provider=$ROOT/lib/libgalera_smm.so
wsrep_sst_method=mariabackup
wsrep_slave_threads=4
wsrep_cluster_address=gcomm://
wsrep_sst_auth=mariabackup:
wsrep_cluster_name=galera
wsrep_node_name=
wsrep_node_address=
innodb_autoinc_lock_mode=2

[mariadb]
plugin_load_add = auth_pam

!include $INCLUDED
END
ln -sf "$ROOT/plugin" "$ROOT/lib/plugin"
ln -sf /dev/stdout "$ROOT/logs/mysqld.log"
cp -r "$ROOT"/conf/* "$ROOT/conf.default"
chgrp -R 0 "$ROOT"/{conf,conf.default,tmp,logs} "$VOLUME"
chmod -R g+rwX "$ROOT"/{conf,conf.default,tmp,logs} "$VOLUME"
