"""How Redis is reached: connection, URL and errors, which broker and results share."""
