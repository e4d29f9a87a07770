#!/bin/bash
# The real image's rules: root is left behind for every rabbitmq program, the server first takes its data over, and
# variables of long ago end the container. Other RABBITMQ_* variables are read by RabbitMQ itself.
set -euo pipefail
if [[ "$1" == rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
    if [ "$1" = rabbitmq-server ]; then
        find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq '{}' +
    fi
    exec gosu rabbitmq "${BASH_SOURCE[0]}" "$@"
fi
mapfile -t names < <(
    printf 'RABBITMQ_DEFAULT_%s_FILE\n' PASS USER
    for prefix in RABBITMQ_SSL RABBITMQ_MANAGEMENT_SSL; do
        printf "${prefix}_%s\n" CACERTFILE CERTFILE DEPTH FAIL_IF_NO_PEER_CERT KEYFILE VERIFY
    done
    echo RABBITMQ_VM_MEMORY_HIGH_WATERMARK
)
old=()
for name in "${names[@]}"; do
    if [ -n "${!name:-}" ]; then old+=("$name"); fi
done
if ((${#old[@]})); then
    printf 'error: %s is set but deprecated\n' "${old[@]}" >&2
    echo 'error: deprecated environment variables detected' >&2
    exit 1
fi
# As there, it is not exported: what RabbitMQ makes of a long name does not change.
if [ "$(hostname)" != "$(hostname -s)" ]; then : "${RABBITMQ_USE_LONGNAME:=true}"; fi
exec "$@"
