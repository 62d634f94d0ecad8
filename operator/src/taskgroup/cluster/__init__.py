"""How Kubernetes is read and written; the only package that imports its client."""
