"""The worker pods as Kubernetes objects: manifest, command line, and what their state means."""
