"""Looks that are made by the clock: of drift and of health, under systemd or cron."""
