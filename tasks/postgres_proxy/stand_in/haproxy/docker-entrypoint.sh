#!/bin/sh
# The real image's rules: options mean haproxy, and haproxy runs as master-worker in the foreground.
set -e
case $1 in -*) set -- haproxy "$@" ;; esac
if [ "$1" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
