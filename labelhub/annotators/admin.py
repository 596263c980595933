"""Annotators in the admin: how well they answer, and a switch to pause them."""

from django.contrib import admin
from django.http import HttpRequest

from labelhub.annotators.models import Annotator


@admin.register(Annotator)
class AnnotatorAdmin(admin.ModelAdmin):
    list_display = (
        *("__str__", "project", "paused", "graded_hits", "graded_yes"),
        *("graded_false_alarms", "graded_no", "created_at"),
    )
    list_filter = ("project", "paused")
    list_select_related = ("project", "user")
    list_editable = ("paused",)
    show_full_result_count = False
    fields = ("project", "user", "paused", "created_at")
    readonly_fields = ("project", "user", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People come by answering."""
        return False
