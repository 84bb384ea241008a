"""Conformance kits for plugins: shared behaviour, run over whatever a plugin folder holds."""
