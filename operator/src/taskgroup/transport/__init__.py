"""Connections to Redis, their URLs and errors; shared by broker and results."""
