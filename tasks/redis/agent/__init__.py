"""The part of the agent that knows Redis and Sentinel (keybuzz.agent.parts)."""

KINDS = {
    "redis-data": "redis",
    "redis-master": "redis",
    "redis-password": "password",
    "redis-runtime": "redis",
    "redis-settings": "redis",
    "sentinel-monitor": "sentinel",
    "sentinel-runtime": "sentinel",
}
NETWORK = {
    "redis": "look",
    "redis-write": "look",
}
NOT_ONLY_LOOKS = {"redis-write": "probe"}
MARKS = {"redis": "marks", "sentinel": "marks"}
PLACES = {"sentinel-monitor": "{address}:{sentinel_port}"}
JUDGES = {"redis": "questions"}
