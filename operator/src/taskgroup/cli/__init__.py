"""The commands besides `operator`: read results, run the self-test, prepare an uninstall."""
