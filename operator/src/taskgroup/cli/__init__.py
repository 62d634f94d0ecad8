"""Commands a person runs: reading results, cleaning up before an uninstall."""
