"""What applications keep to where they use MinIO (keybuzz.policy.modules)."""

from tasks.minio.policy.alias import MIN_5
from tasks.minio.policy.traffic import MIN_4

RULES = (MIN_4, MIN_5)
