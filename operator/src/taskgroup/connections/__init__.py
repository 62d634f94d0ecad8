"""Open connections to brokers and result backends, found through Secrets and shared by all who use the same."""
