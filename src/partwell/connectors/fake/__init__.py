"""A target that exists only in a small file, for tests, proofs, the demo and practice."""
