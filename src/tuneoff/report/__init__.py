"""Floor 6: what a person sees: facts first, then painters."""
