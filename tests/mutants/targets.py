"""The files whose mutants are made, and the tests of each: those of its own module, and no others."""

from __future__ import annotations

_UNIT, _FLOW = "tests/unit", "tests/flow"
_CHANGE, _TASKS = f"{_UNIT}/engine/change", f"{_UNIT}/tasks"
_CONDUCT = (
    *(
        f"{_UNIT}/engine/conduct/test_{part}.py"
        for part in (
            "ahead",
            "between",
            "careful",
            "conduct",
            "conduct_clusters",
            "conduct_gates",
            "pace",
            "put_off",
        )
    ),
    f"{_UNIT}/engine/chains/test_side_by_side.py",
    f"{_UNIT}/engine/test_led_back.py",
    f"{_FLOW}/adopt/test_joined.py",
    f"{_FLOW}/maintain/test_maintenance.py",
)
_RESTART = f"{_CHANGE}/test_restart.py"


def _rollout(name: str, *more: str) -> tuple[str, ...]:
    return (f"{_TASKS}/{name}/test_rollout_{name}.py", *more)


TARGETS: dict[str, tuple[str, ...]] = {
    "keybuzz/engine/change/guard.py": (
        f"{_CHANGE}/test_guard.py",
        f"{_CHANGE}/test_together.py",
        _RESTART,
        f"{_TASKS}/patroni/test_switches_patroni.py",
    ),
    "keybuzz/engine/chains/guard.py": (f"{_UNIT}/engine/chains/test_guard_beside.py",),
    "keybuzz/engine/change/freeze.py": (
        f"{_CHANGE}/test_freeze_additions.py",
        f"{_CHANGE}/test_freeze_unread.py",
        f"{_TASKS}/backup/test_freeze_reached.py",
        f"{_FLOW}/engine/test_freeze.py",
    ),
    "keybuzz/engine/memory/lock.py": (
        f"{_UNIT}/engine/memory/test_lease_words.py",
        f"{_UNIT}/engine/memory/test_lock.py",
        f"{_UNIT}/engine/memory/test_who.py",
        f"{_UNIT}/hostile/test_state_folder.py",
    ),
    "keybuzz/engine/look/planning.py": (
        f"{_UNIT}/engine/look/test_planning.py",
        f"{_CHANGE}/test_saved_plan.py",
    ),
    "tasks/galera/recover/choice.py": (f"{_TASKS}/galera/test_recover_galera.py",),
    "tasks/galera/recover/recovery.py": (
        f"{_TASKS}/galera/test_installed_again_galera.py",
        f"{_TASKS}/galera/test_position_galera.py",
        f"{_TASKS}/galera/test_recover_galera.py",
    ),
    "keybuzz/engine/change/recover.py": (
        f"{_FLOW}/ends/test_recover_cluster.py",
        f"{_UNIT}/cli/test_recover_command.py",
    ),
    "tasks/galera/rollout.py": _rollout(
        "galera",
        f"{_TASKS}/galera/test_stages_galera.py",
        f"{_TASKS}/galera/test_rotation_galera.py",
    ),
    "tasks/patroni/rollout.py": _rollout(
        "patroni",
        f"{_TASKS}/patroni/test_stages_patroni.py",
        f"{_TASKS}/patroni/test_lead_patroni.py",
        f"{_TASKS}/patroni/test_refusals_patroni.py",
        f"{_TASKS}/patroni/test_rotation_patroni.py",
    ),
    "tasks/redis/rollout.py": _rollout(
        "redis",
        f"{_TASKS}/redis/test_lead_redis.py",
        f"{_TASKS}/redis/test_redis_replaced.py",
        f"{_TASKS}/redis/test_stages_redis.py",
    ),
    "tasks/rabbitmq/rollout.py": _rollout(
        "rabbitmq",
        f"{_TASKS}/rabbitmq/test_stages_rabbitmq.py",
        f"{_TASKS}/rabbitmq/test_waits_rabbitmq.py",
        f"{_TASKS}/rabbitmq/test_whose_rabbitmq.py",
    ),
    "tasks/minio/rollout.py": _rollout("minio", f"{_TASKS}/minio/test_stages_minio.py"),
    "tasks/k3s/rollout.py": _rollout("k3s", f"{_TASKS}/k3s/test_stages_k3s.py"),
    "tasks/qdrant/rollout.py": (f"{_TASKS}/qdrant/test_qdrant.py",),
    "tasks/backup/rollout.py": (f"{_TASKS}/backup/test_backup.py",),
    "tasks/base/rollout.py": _rollout("base"),
    "tasks/proxysql/rollout.py": _rollout("proxysql", f"{_TASKS}/proxysql/test_stages_proxysql.py"),
    "tasks/postgres_proxy/rollout.py": _rollout("postgres_proxy"),
    "tasks/redis_proxy/rollout.py": _rollout("redis_proxy"),
    "tasks/rabbitmq_proxy/rollout.py": _rollout("rabbitmq_proxy"),
    "tasks/minio_client/rollout.py": (f"{_TASKS}/minio_client/test_minio_client.py",),
    "keybuzz/engine/change/conduct.py": _CONDUCT,
    "keybuzz/engine/change/taker.py": _CONDUCT,
}
