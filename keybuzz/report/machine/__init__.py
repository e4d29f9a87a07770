"""Reports for machines that watch: JUnit, Nagios, Prometheus."""
