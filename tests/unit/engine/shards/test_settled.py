"""What a worker says of a host it could not ask loses the secrets of the store, like every reply."""

from __future__ import annotations

from nornir.core.processor import Processors
from nornir.core.task import Result, Task

from keybuzz.engine.shards.runner import _settled
from keybuzz.model.core.errors import ContactError
from keybuzz.model.core.redact import Redactor
from tests.unit.support.site_values import memory_nornir, memory_site, planted


def ask(task: Task) -> Result:
    return Result(host=task.host)


def test_a_failure_loses_the_secrets_of_the_store() -> None:
    site = memory_site()
    nornir = memory_nornir(site)
    nornir.config.user_defined["redactor"] = Redactor(site.credentials.values())
    secret = planted("REDIS_PASSWORD")
    said = ContactError(f"redis-cli --pass {secret} failed", hint=f"try {secret}")
    host = nornir.inventory.hosts["redis-01"]
    [result] = _settled(Task(ask, nornir, False, Processors()), host, said)
    assert result.failed
    assert "redis-cli --pass" in result.result
    assert secret not in f"{result.result} {result.exception}"
