"""How the tables come about."""
