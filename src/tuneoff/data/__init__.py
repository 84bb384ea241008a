"""Floor 1: records, tasks, prompts, splits, duplicates, facts about the data. No torch here."""
