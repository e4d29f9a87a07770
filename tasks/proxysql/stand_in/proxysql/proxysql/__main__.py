"""Start as ProxySQL does: the configuration file counts only while there is no proxysql.db."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path

from proxysql import admin, cnf, traffic
from proxysql.listener import Door
from proxysql.monitor import Monitor
from proxysql.store import Store


def main() -> int:
    """Serve until SIGTERM; 1 when the configuration file can not be parsed."""
    parser = argparse.ArgumentParser(prog="proxysql")
    parser.add_argument("-f", action="store_true")
    parser.add_argument("--idle-threads", action="store_true")
    parser.add_argument("-M", "--no-version-check", action="store_true")
    parser.add_argument("-c", default="/etc/proxysql.cnf")
    parser.add_argument("-D", default="/var/lib/proxysql")
    options = parser.parse_args()
    if not Path(options.c).exists():
        print(f"Unable to open config file {options.c}. Aborting!", file=sys.stderr)
        return 0
    try:
        found = cnf.parse(Path(options.c).read_text(encoding="utf-8"))
    except cnf.FormError as error:
        print(f"Parse error at {options.c}:{error} - syntax error", file=sys.stderr)
        return 1
    store = Store(Path(options.D) / "proxysql.db")
    store.boot(found)
    monitor = Monitor(store)
    doors: list[Door] = []
    counts = traffic.Counts()
    for address in store.runtime_variable("admin-mysql_ifaces").split(";"):
        admin.listen(address, admin.Parts(store, monitor, counts, doors))
    for address in (store.runtime_variable("mysql-interfaces") or "0.0.0.0:6033").split(";"):
        doors.append(traffic.listen(address, store, monitor, counts))
    monitor.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("Standing in for ProxySQL 2.6.4: ready for connections", file=sys.stderr)
    while not stop.wait(0.5):
        pass  # a signal that another thread has taken is handled when this one looks
    return 0


if __name__ == "__main__":
    sys.exit(main())
