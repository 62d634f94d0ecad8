"""Servers that the examples need beside the workers: small, real, and with the faults that the examples are about."""
