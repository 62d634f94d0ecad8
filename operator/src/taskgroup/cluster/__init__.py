"""Reads and writes Kubernetes objects. No other package imports the Kubernetes client."""
