"""The decisions for one TaskGroup: its books, its dispatch, its outcome."""
