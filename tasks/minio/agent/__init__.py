"""The part of the agent that knows MinIO (keybuzz.agent.parts)."""

KINDS = {
    "minio-aliases": "minio",
    "minio-bucket": "minio",
    "minio-drive": "minio",
    "minio-no-user": "accounts",
    "minio-user": "accounts",
}
NETWORK = {
    "minio": "look",
    "minio-buckets": "look",
    "minio-login": "look",
}
MARKS = {"minio": "marks"}
PLACES = {"minio-bucket": "{address}:{port} (S3)"}
"""MinIO holds requests of S3 back while it is frozen, and goes on answering its administrator."""
