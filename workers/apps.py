from django.apps import AppConfig


class WorkersConfig(AppConfig):
    """Lists the commands of this room; the web process loads nothing else of it."""

    name = "workers"
