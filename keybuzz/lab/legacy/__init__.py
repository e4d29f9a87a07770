"""An old deployment on bare lab hosts, as scripts built it before kbz: what `kbz adopt` meets first."""
