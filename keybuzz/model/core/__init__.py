"""What every module and every verb is made of: resources, plans, findings, outcomes, secrets."""
