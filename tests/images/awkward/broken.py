"""An app that cannot be imported, as when a dependency is missing in the image."""

raise ImportError("No module named 'warehouse'")
