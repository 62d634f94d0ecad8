"""What every loop is made of, and where the loops of a group and of a pool of workers meet."""
