"""The worker pods as Kubernetes objects: their manifest, command line and state."""
