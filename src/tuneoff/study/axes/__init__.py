"""Figures beside quality, taken of each tested arm: serving, retention, rewording, memorisation."""
