"""Who is told of drift, health, runs and backups: by mail, a webhook or Slack."""
