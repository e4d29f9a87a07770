#!/bin/sh
# Runs one lab host until it is stopped; starts it again when it asks for a reboot (nspawn's code 133).
#
#   keeper.sh NETWORK DISK VOLUME ROOT LOWER,UPPER,WORK PROCS... -- NSPAWN ARGUMENT...
#
# It is started in a mount namespace of its own: the disk and the root file system are mounted only in
# there, so a host that dies in any way leaves no mount behind.
set -eu
network=$1 disk=$2 volume=$3 root=$4 layers=$5
shift 5
# The kernel may still be at work to let go of the disk of a host that was killed just now.
tries=100
# No barriers: a host can lose its processes, but not what this machine's kernel has of its disk.
until mount -t ext4 -o loop,noatime,nobarrier,noinit_itable "$disk" "$volume"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || exit 1
    sleep 0.1
done
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
