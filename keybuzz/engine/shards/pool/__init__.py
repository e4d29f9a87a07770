"""Workers of a standing pool: Dask.distributed carries the lines of the contract, over TLS both ways."""
