"""Reads items from where spec.itemsFrom says they are: the program of a pod in the TaskGroup's own namespace."""
