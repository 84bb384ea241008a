"""Floor 3: batches, prefix-once, context cache, attached adapters, the training loop, scoring, generation."""
