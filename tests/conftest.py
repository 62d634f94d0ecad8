"""What holds for the tests of every folder."""

import pytest

# Else a failed assertion of a shared helper would not show its values.
pytest.register_assert_rewrite("support")
