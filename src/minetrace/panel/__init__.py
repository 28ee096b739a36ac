"""Outlines through time, with an identity."""
