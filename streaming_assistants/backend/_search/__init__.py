"""What a search of vector stores is made of: words, ranks, filters, vectors. Sans-IO."""
