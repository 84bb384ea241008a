"""Floor 0: configuration, plugin discovery, errors, content hashes, random streams, cost. No torch here."""
