#!/bin/sh
# The real image's rule: what does not begin with `minio` is told to it.
if [ "$1" != minio ]; then set -- minio "$@"; fi
exec "$@"
