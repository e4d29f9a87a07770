#!/bin/sh
# Runs one lab host until it is stopped; starts it again when it asks for a reboot (nspawn's code 133).
#
#   keeper.sh NETWORK ROOT LOWER,UPPER,WORK PROCS... -- NSPAWN ARGUMENT...
#
# It is started in a mount namespace of its own: the root file system is mounted only in there, so a
# host that dies in any way leaves no mount behind.
set -eu
network=$1 root=$2 layers=$3
shift 3
mount -t overlay overlay -o "$layers" "$root"

groups=
while [ "$1" != -- ]; do
    groups="$groups $1"
    shift
done
shift

while :; do
    code=0
    (
        for group in $groups; do
            sh -c 'echo "$PPID" > "$1"' enter "$group"
        done
        exec "$@"
    ) || code=$?
    [ "$code" -eq 133 ] || exit "$code"
    # A real reboot forgets the packet filter.
    nsenter --net="$network" nft flush ruleset
done
