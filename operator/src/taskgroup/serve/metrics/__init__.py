"""What Prometheus reads of this process."""
