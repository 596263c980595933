"""The tests of the promotion gate: arithmetic on arrays, neither Django nor torch."""
