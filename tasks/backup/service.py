"""The backups for those who use them: their credentials. Data only."""

from __future__ import annotations

from keybuzz.site.credentials.schema import Credential

CREDENTIALS = (Credential("BACKUP_KEY", "backup.env", "", ("backup",), length=48),)
