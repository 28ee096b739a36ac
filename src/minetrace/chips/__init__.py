"""Data sets of chips: made around labels or opened as found, split, and audited for leaks."""
