"""Challenges in the admin: what was asked, why, what was answered, and what was reported."""

from django.contrib import admin

from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.projects.readonly import ReadOnlyAdmin
from labelhub.projects.selectors import catalogue


@admin.register(Challenge)
class ChallengeAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "project", "form", "asked", "state", "annotator", "issued_at")
    list_filter = ("project", "state", "form")
    list_select_related = ("project", "label_class", "annotator__user")

    @admin.display(description="asked about")
    def asked(self, challenge: Challenge) -> str:
        return str(challenge.label_class or "all classes")


@admin.register(Tile)
class TileAdmin(ReadOnlyAdmin):
    list_display = ("challenge", "place", "image", "reason", "said")
    list_filter = ("reason",)
    list_select_related = ("challenge__project", "challenge__label_class", "image")

    @admin.display(description="answer")
    def said(self, tile: Tile) -> str:
        """In words; empty where nothing was said of the tile."""
        challenge = tile.challenge
        if challenge.answer is None:
            return ""
        if challenge.form == Challenge.Form.CHOICE:
            classes = catalogue(challenge.project)
            return ", ".join(classes.entry(chosen).name for chosen in challenge.answer)
        return f"yes to {challenge.label_class}" if tile.selected else ""


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    list_display = ("image", "reason", "annotator", "reported_at", "decision", "decided_by")
    list_filter = ("project", "reason", "decision")
    list_select_related = ("image", "annotator__user", "decided_by")
