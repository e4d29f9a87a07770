"""Resources and readings of the services that run on hosts."""
