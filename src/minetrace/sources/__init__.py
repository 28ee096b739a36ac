"""Pixels of a tile in a period, from wherever they are."""
