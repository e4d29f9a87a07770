# mypy: ignore-errors
"""nornir-netmiko as its own documentation shows it, with strict host keys: one command, twice."""

from __future__ import annotations

import sys
import time

from nornir import InitNornir
from nornir_netmiko.tasks import netmiko_send_command

command, hosts, times = sys.argv[1:]
nornir = InitNornir(
    runner={"plugin": "threaded", "options": {"num_workers": 50}},
    inventory={"plugin": "SimpleInventory", "options": {"host_file": hosts}},
    logging={"enabled": False},
)
for _ in range(int(times)):
    started = time.monotonic()
    results = nornir.run(task=netmiko_send_command, command_string=command)
    took = time.monotonic() - started
    for host, result in results.items():
        print(host, result[0].result)
    assert not results.failed
print(f"seconds {took:.4f}")
nornir.close_connections()
