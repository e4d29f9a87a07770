"""What the policy knows of Redis (keybuzz.policy.modules): programs that connect to it."""

from keybuzz.policy.readers.code.clients import Client

_REDIS = Client(
    {"-h": "host", "-p": "port", "-a": "password", "--pass": "password", "-u": "url"}, ("-h",)
)
CLIENTS = dict.fromkeys(("redis-cli", "redis-benchmark", "valkey-cli"), _REDIS)
