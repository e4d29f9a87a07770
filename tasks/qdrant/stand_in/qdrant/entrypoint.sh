#!/bin/sh
# The real image's rules: signals go to the server, and its exit code is the container's.
trap 'kill -TERM "$server" 2>/dev/null' TERM
trap 'kill -INT "$server" 2>/dev/null' INT
./qdrant "$@" &
server=$!
wait "$server"
code=$?
# A signal ends the first wait early.
while kill -0 "$server" 2>/dev/null; do
    wait "$server"
    code=$?
done
exit "$code"
