"""The items of a group: where they come from, and what to run for each."""
