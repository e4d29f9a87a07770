"""What is kept between runs: the journal, leases, outcomes."""
