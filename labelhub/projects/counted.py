"""How far a project is, as a row that is read with every grid."""

from django.db import models
from django.utils import timezone


class Progress(models.Model):
    """How far a Project is, counted by a scheduled job so that no page has to count.

    It is read with every grid, and so carries what composing one must know of the whole project.
    """

    project = models.OneToOneField("projects.Project", models.CASCADE, related_name="progress")
    images = models.PositiveIntegerField(default=0)
    voted = models.PositiveIntegerField(default=0)
    settled = models.PositiveIntegerField(default=0)
    votes = models.PositiveIntegerField(default=0)
    contested = models.PositiveIntegerField(
        default=0, help_text="Images that many people have judged and not settled."
    )
    found = models.JSONField(
        null=True, help_text="Settled images of each class that has some to ask about, by its id."
    )
    tile_seconds = models.FloatField(
        default=1.7, help_text="Of a person's time, for a tile: as the last Round measured it."
    )
    choice_seconds = models.FloatField(
        default=4.2, help_text="Of a person's time, for a choice: as the last Round measured it."
    )
    doubt = models.FloatField(
        default=1.0,
        help_text="Part of the share of graded grids that people who answer well get: less where "
        "those who were graded did well.",
    )
    counted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "progress"

    def __str__(self) -> str:
        return f"{self.settled} of {self.images} settled"
