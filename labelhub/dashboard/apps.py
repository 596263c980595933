from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "labelhub.dashboard"
