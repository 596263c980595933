"""Projects in the admin: settings and schedule are changed here, pictures are looked at."""

from typing import Any

from django.contrib import admin
from django.db.models import Field
from django.forms import Field as FormField
from django.forms import ModelForm
from django.http import HttpRequest

from labelhub.projects.asking import NAME, USUAL_QUESTION
from labelhub.projects.models import Example, Gold, Image, LabelClass, Progress, Project
from labelhub.projects.readonly import ReadOnlyAdmin
from labelhub.projects.services import touch_catalogue


@admin.register(Project)
class ProjectAdmin(admin.ModelAdmin):
    list_display = ("name", "slug", "status", "retrain_every_minutes", "retrain_min_labels")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    readonly_fields = ("slug", "created_at")
    fieldsets = (
        (None, {"fields": ("name", "slug", "description", "status", "created_at")}),
        (
            "How it asks",
            {
                "fields": (
                    "grid_edge",
                    "asks_choices",
                    "acquisition",
                    "challenge_minutes",
                    "graded_share",
                    "random_share",
                    "check_share",
                )
            },
        ),
        ("When an image is settled", {"fields": ("settle_threshold", "min_humans")}),
        (
            "The schedule of Rounds",
            {
                "fields": (
                    "retrain_every_minutes",
                    "retrain_min_labels",
                    "retrain_at_latest_hours",
                )
            },
        ),
        (
            "The network",
            {
                "fields": (
                    "recipe",
                    "image_size",
                    "channels",
                    "augmentation",
                    "training_steps",
                    "training_minutes",
                    "pretrained",
                )
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A project needs its classes with it: ``manage.py create_project`` makes both."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Votes hold their classes and annotators: the database would refuse, after this process
        has collected every row of the project to say so."""
        return False


@admin.register(LabelClass)
class LabelClassAdmin(admin.ModelAdmin):
    list_display = ("name", "key", "project", "position", "is_none")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "key")
    readonly_fields = ("project", "key", "position", "is_none")
    exclude = ("texts",)  # pages do not speak other languages yet

    def formfield_for_dbfield(
        self, db_field: Field, request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        if db_field.name == "question":
            said = f"{NAME} stands for the class's name. Default: “{USUAL_QUESTION}”."
            kwargs = {**kwargs, "help_text": said}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Every stored vector has one entry a class: their number is fixed when it is made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: LabelClass, form: ModelForm, change: Any
    ) -> None:
        super().save_model(request, obj, form, change)
        touch_catalogue(project_id=obj.project_id)


@admin.register(Image)
class ImageAdmin(ReadOnlyAdmin):
    list_display = ("name", "project", "holdout", "status", "created_at")
    list_filter = ("project", "holdout", "status")
    list_select_related = ("project",)
    search_fields = ("name", "sha256")


@admin.register(Gold)
class GoldAdmin(ReadOnlyAdmin):
    list_display = ("image", "label_class", "source", "created_by", "created_at")
    list_filter = ("source", "label_class__project")
    list_select_related = ("image", "label_class", "created_by")


@admin.register(Example)
class ExampleAdmin(ReadOnlyAdmin):
    list_display = ("image", "label_class", "position")
    list_select_related = ("image", "label_class")


@admin.register(Progress)
class ProgressAdmin(ReadOnlyAdmin):
    list_display = ("project", "images", "voted", "settled", "votes", "contested", "counted_at")
    list_select_related = ("project",)
