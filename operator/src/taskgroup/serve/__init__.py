"""What the process tells over HTTP about itself."""
