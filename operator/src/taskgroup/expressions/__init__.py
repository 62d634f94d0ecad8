"""Expressions of tenants, evaluated where they can harm nobody."""
