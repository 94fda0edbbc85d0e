"""Builds the data sets that ship with makd, or that makd knows, from their published sources."""
