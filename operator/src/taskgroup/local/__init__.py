"""TaskGroups without a cluster: read from files, planned, and run on this machine."""
