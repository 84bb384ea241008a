"""From the ledger's rows to the verdict: standings, contrasts, winners, what would change it, and its words."""
