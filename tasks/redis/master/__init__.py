"""Who the master is, who could take over, and how it is handed over."""
