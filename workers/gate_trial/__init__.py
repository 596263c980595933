"""Plays Rounds whose worth is known past the promotion gate: honest ones, and sabotaged ones."""
