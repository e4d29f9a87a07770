"""A small server that speaks as Qdrant does, for the lab. It says in its log that it is none."""
