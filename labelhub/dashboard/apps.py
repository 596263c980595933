from django.apps import AppConfig

import labelhub.celery  # noqa: F401  so that tasks sent by name go to our broker


class DashboardConfig(AppConfig):
    name = "labelhub.dashboard"
