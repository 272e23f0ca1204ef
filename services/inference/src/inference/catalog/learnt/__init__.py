"""What is learnt on the vectors of an embedding model, as it stands in a declaration."""
