"""Rules with ids (requirements.md), over the files of an application: read once, judged by pure functions."""
