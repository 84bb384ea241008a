"""Floor 2: loading, chat rendering, places to adapt, the method contracts, tiny test models."""
