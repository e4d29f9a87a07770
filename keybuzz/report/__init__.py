"""One stream of events and one report, shown as text or JSON."""
