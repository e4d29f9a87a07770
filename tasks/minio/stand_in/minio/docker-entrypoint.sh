#!/bin/sh
# The real image's rules: what does not begin with `minio` is told to it, and it runs as another user when both names
# of one are given.
if [ "$1" != minio ] && [ -n "$1" ]; then set -- minio "$@"; fi
if [ -n "$MINIO_USERNAME" ] && [ -n "$MINIO_GROUPNAME" ]; then
    if [ -n "$MINIO_UID" ] && [ -n "$MINIO_GID" ]; then
        exec chroot --userspec="$MINIO_UID:$MINIO_GID" / "$@"
    fi
    echo "$MINIO_USERNAME:x:1000:1000::/:/sbin/nologin" >>/etc/passwd
    echo "$MINIO_GROUPNAME:x:1000" >>/etc/group
    exec chroot --userspec="$MINIO_USERNAME:$MINIO_GROUPNAME" / "$@"
fi
exec "$@"
