"""A Django app with a database: the products of a shop and their prices."""
