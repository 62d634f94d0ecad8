"""Decisions only: no I/O, no clock, no async. Everything here can be tested with plain values."""
