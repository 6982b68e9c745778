"""One cause of non-delivery a file, each opening with its definition and a real example."""
