"""Votes in the admin: to be read. They are appended by answers and taken back by rows."""

from django.contrib import admin

from labelhub.projects.readonly import ReadOnlyAdmin
from labelhub.votes.models import Consensus, Parameters, Retraction, Vote


@admin.register(Vote)
class VoteAdmin(ReadOnlyAdmin):
    list_display = ("image", "label_class", "answer", "kind", "annotator", "cast_at")
    list_filter = ("project", "kind", "answer")
    list_select_related = ("image", "label_class", "annotator__user")


@admin.register(Retraction)
class RetractionAdmin(ReadOnlyAdmin):
    list_display = ("vote", "reason", "retracted_by", "retracted_at")
    list_select_related = ("vote", "retracted_by")


@admin.register(Consensus)
class ConsensusAdmin(ReadOnlyAdmin):
    list_display = ("image", "label_class", "confidence", "entropy", "humans", "settled")
    list_filter = ("project", "settled")
    list_select_related = ("image", "label_class")
    exclude = ("prior", "probabilities")


@admin.register(Parameters)
class ParametersAdmin(ReadOnlyAdmin):
    list_display = ("project", "version", "prior_mix", "fitted_at")
    list_filter = ("project",)
    list_select_related = ("project",)
