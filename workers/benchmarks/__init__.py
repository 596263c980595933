"""Benchmarks that need networks as well as rows; each runs over a folder of its own."""
