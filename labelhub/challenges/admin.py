"""Challenges in the admin: what was asked, why, what was answered, and what was reported."""

from django.contrib import admin

from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.projects.readonly import ReadOnlyAdmin


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "project", "label_class", "state", "annotator", "issued_at")
    list_filter = ("project", "state", "form")
    list_select_related = ("project", "label_class", "annotator__user")


@admin.register(Tile)
class TileAdmin(ReadOnlyAdmin):
    list_display = ("challenge", "place", "image", "reason", "selected")
    list_filter = ("reason",)
    list_select_related = ("challenge", "image")


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("image", "reason", "annotator", "reported_at", "decision", "decided_by")
    list_filter = ("project", "reason", "decision")
    list_select_related = ("image", "annotator__user", "decided_by")
