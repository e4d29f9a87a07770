"""What a command inside a lab host cannot reach: this machine's clock and kernel, which all lab hosts share."""

from __future__ import annotations

CAPABILITIES = ("sys_time", "wake_alarm", "sys_module", "sys_boot", "sys_rawio", "syslog")
"""To set the clock, to load modules, to restart or replace the kernel, to touch its memory, to clear its log."""
_SCRIPT = """\
mount --make-rprivate /proc || exit 125
mount --rbind /proc/sys /proc/sys && mount --bind /proc/sys/net /proc/sys/net || exit 125
mount -o remount,bind,ro /proc/sys || exit 125
for path in /proc/sysrq-trigger /proc/kcore; do
    [ ! -e "$path" ] || mount --bind /dev/null "$path" || exit 125
done
exec "$@"
"""
"""Only what is below /proc is the command's own: what it mounts elsewhere is mounted in the host, as over SSH.

Settings of the kernel below net belong to the host's own network namespace; all others are those of this machine.
What nspawn has mounted below /proc/sys, the boot's own id, stays in sight.
"""


def without_capabilities() -> list[str]:
    """Return the words that run a command of this machine without the capabilities that reach its clock and kernel."""
    dropped = ",".join(f"-{name}" for name in CAPABILITIES)
    return ["setpriv", f"--bounding-set={dropped}", f"--inh-caps={dropped}"]


def without_settings() -> list[str]:
    """Return the words that run a command inside a lab host with the kernel's settings read-only."""
    return ["unshare", "--mount", "--propagation=unchanged", "sh", "-c", _SCRIPT, "fence"]
