#!/bin/sh
# Managed by kbz (module redis-proxy). Keeps HAProxy's backend redis-master at the master that Sentinel names.
# Without arguments: until it is ended. With --once: one round, exit code 0 when the route is right.
exec /usr/bin/python3 -I /opt/keybuzz/redis-lb/watcher/redis_watcher.py /opt/keybuzz/redis-lb/watcher/watcher.json "$@"
