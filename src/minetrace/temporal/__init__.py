"""Scores through time: what each pixel was, and when. On arrays; knows no outlines, no files."""
