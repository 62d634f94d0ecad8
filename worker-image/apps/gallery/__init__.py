"""The Django app that holds the tasks."""
