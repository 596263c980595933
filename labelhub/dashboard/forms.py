"""What the dashboard reads from a request."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _

from labelhub.projects.models import Project
from labelhub.projects.selectors import catalogue


class GoldForm(forms.Form):
    """The class that an image is for certain."""

    def __init__(self, data: Any, *, project: Project) -> None:
        super().__init__(data)
        self.fields["label_class"] = forms.TypedChoiceField(
            coerce=int,
            choices=[(entry.id, entry.name) for entry in catalogue(project).entries],
            error_messages={
                "required": _("Choose the class that the picture shows."),
                "invalid_choice": _("This project has no such class."),
            },
        )
