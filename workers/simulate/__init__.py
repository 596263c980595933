"""Plays the whole product over data whose truth is known: see ``play``."""
