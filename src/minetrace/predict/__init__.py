"""Scanning pixels with a scorer, on one lattice of windows."""
