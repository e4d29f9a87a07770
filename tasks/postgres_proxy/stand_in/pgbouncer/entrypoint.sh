#!/bin/sh
# The real image's rules: files that are missing are written, and those that are there stay as they are. Of its many
# variables, this knows the ones of ../pgbouncer.yaml.
set -e
folder=/etc/pgbouncer
users=${AUTH_FILE:-$folder/userlist.txt}
[ -e "$users" ] || touch "$users"
if [ -n "$DB_USER" ] && [ -n "$DB_PASSWORD" ] && ! grep -q "^\"$DB_USER\"" "$users"; then
    case $AUTH_TYPE in
    plain | scram-sha-256) stored=$DB_PASSWORD ;;
    *) stored=md5$(printf %s "$DB_PASSWORD$DB_USER" | md5sum | cut -d ' ' -f 1) ;;
    esac
    echo "\"$DB_USER\" \"$stored\"" >>"$users"
fi
if [ ! -f $folder/pgbouncer.ini ]; then
    : "${DB_HOST:?Setup pgbouncer config error! You must set DB_HOST env}"
    cat >$folder/pgbouncer.ini <<END
[databases]
${DB_NAME:-*} = host=$DB_HOST port=${DB_PORT:-5432} auth_user=${DB_USER:-postgres}
[pgbouncer]
listen_addr = ${LISTEN_ADDR:-0.0.0.0}
listen_port = ${LISTEN_PORT:-5432}
auth_file = $users
auth_type = ${AUTH_TYPE:-md5}
admin_users = ${ADMIN_USERS:-postgres}
${POOL_MODE:+pool_mode = $POOL_MODE}
END
fi
exec "$@"
