"""Property tests draw the same examples in every run: a failure in CI is a failure everywhere."""

from hypothesis import settings

settings.register_profile("unit", derandomize=True, deadline=None, max_examples=100, database=None)
settings.load_profile("unit")
