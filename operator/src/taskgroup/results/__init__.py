"""How completions and result values come back from the result backend."""
