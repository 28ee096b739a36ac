"""Scores and masks to outlines without seams."""
