"""Annotator: a source of votes, and how well it answers what is known."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from labelhub.annotators.skill import Skill
from labelhub.projects.models import Project


class Annotator(models.Model):
    """A user, or an anonymous visitor known by a random key in a signed cookie.

    The four graded numbers are those of the latest graded grids, recounted from rows at every
    graded answer, never incremented.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotators")
    key = models.CharField(max_length=32, unique=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="annotators"
    )
    paused = models.BooleanField(
        default=False, help_text="A paused annotator is served no grids and adds no votes."
    )
    counts = models.BooleanField(
        default=True,
        editable=False,
        help_text="False where the last Round found that the answers tell next to nothing: the "
        "votes weigh nothing, and only what is known is asked now and then.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    graded_yes = models.PositiveIntegerField(default=0, editable=False)
    graded_hits = models.PositiveIntegerField(default=0, editable=False)
    graded_no = models.PositiveIntegerField(default=0, editable=False)
    graded_false_alarms = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"],
                condition=Q(user__isnull=False),
                name="one_annotator_per_user_and_project",
            ),
            models.CheckConstraint(
                name="graded_hits_are_among_graded_yes",
                condition=Q(graded_hits__lte=F("graded_yes")),
            ),
            models.CheckConstraint(
                name="graded_false_alarms_are_among_graded_no",
                condition=Q(graded_false_alarms__lte=F("graded_no")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.user) if self.user_id else f"visitor {self.key[:6]}"

    @property
    def skill(self) -> Skill:
        """The measured skill that the row holds."""
        return Skill(
            yes=self.graded_yes,
            hits=self.graded_hits,
            no=self.graded_no,
            false_alarms=self.graded_false_alarms,
        )

    @property
    def is_believed(self) -> bool:
        """Whether the answers tell anything, by the last Round and by the Gold met since."""
        return self.counts and not self.skill.is_hopeless
