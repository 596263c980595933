from django.apps import AppConfig


class AnnotatorsConfig(AppConfig):
    name = "labelhub.annotators"
