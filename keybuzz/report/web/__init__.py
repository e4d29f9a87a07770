"""The page and the metrics over HTTP: pure answers, and one bounded server of the standard library."""
