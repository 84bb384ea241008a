"""Floor 5: the study file, the plan, the race, the work, the ledger, the verdict."""
