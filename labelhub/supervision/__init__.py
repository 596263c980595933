"""Starts, watches, restarts and stops the processes that LabelHub is made of.

The lowest room: it knows processes, files and the broker's ping, and nothing of Django's models.
``specs`` says what a process is, ``standard`` lists the usual ones, ``supervisor`` runs a list.
"""
