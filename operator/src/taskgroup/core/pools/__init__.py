"""The decisions for one pool of workers."""
