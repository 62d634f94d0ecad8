"""The loop of a pool of workers: what runs, how much of it, and what dead workers held."""
