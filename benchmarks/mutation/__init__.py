"""Mutants of the floors that matter most, each tried against the tests that reach it."""
