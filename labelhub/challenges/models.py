"""Challenge, Tile, Report: questions one Annotator gets, and which of them ought not be asked."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Image, LabelClass, Project


class Challenge(models.Model):
    """One question sheet served to one Annotator; answered at most once; expires."""

    class Form(models.TextChoices):
        GRID = "grid", "a grid: yes or no to one class for each tile"
        CHOICE = "choice", "one picture, all classes"
        PARTS = "parts", "one picture cut into tiles"

    class State(models.TextChoices):
        OPEN = "open", "open"
        ANSWERED = "answered", "answered"
        SKIPPED = "skipped", "skipped"

    public_id = models.CharField(max_length=32, unique=True, help_text="Random, in its address.")
    # Indexed by what is open and what is graded, below.
    project = models.ForeignKey(Project, models.CASCADE, related_name="challenges", db_index=False)
    annotator = models.ForeignKey(
        Annotator, models.PROTECT, related_name="challenges", db_index=False
    )
    form = models.CharField(max_length=6, choices=Form, default=Form.GRID)
    label_class = models.ForeignKey(
        LabelClass, models.PROTECT, null=True, blank=True, related_name="challenges", db_index=False
    )
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    places = models.PositiveSmallIntegerField(help_text="How many tiles it has.")
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    spent_at = models.DateTimeField(null=True, blank=True)
    answer = models.JSONField(
        null=True,
        blank=True,
        help_text="Of a grid: the selected places, sorted; of a choice: the LabelClass.",
    )
    reply = models.JSONField(
        null=True, blank=True, help_text="What was said to the answer, repeated word for word."
    )

    # What this answer says of its Annotator, by the Gold among its tiles.
    graded = models.BooleanField(default=False)
    graded_yes = models.PositiveSmallIntegerField(default=0)
    graded_hits = models.PositiveSmallIntegerField(default=0)
    graded_no = models.PositiveSmallIntegerField(default=0)
    graded_false_alarms = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_spent_challenge_says_when",
                condition=Q(state="open", spent_at__isnull=True)
                | (~Q(state="open") & Q(spent_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="only_an_answered_challenge_has_an_answer",
                condition=Q(state="answered", answer__isnull=False)
                | (~Q(state="answered") & Q(answer__isnull=True)),
            ),
            models.CheckConstraint(
                name="only_a_choice_asks_about_all_classes",
                condition=Q(form="choice", label_class__isnull=True)
                | (~Q(form="choice") & Q(label_class__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["annotator", "-issued_at"],
                condition=Q(state="open"),
                name="open_challenge_by_annotator",
            ),
            models.Index(
                fields=["annotator", "-spent_at"],
                condition=Q(graded=True),
                name="graded_challenge_by_person",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Tile(models.Model):
    """One place in a Challenge: an Image, and why it was asked."""

    class Reason(models.TextChoices):
        UNCERTAIN = "uncertain", "among the most uncertain"
        INFORMATION = "information", "its answer tells most for the time it takes"
        GOLD = "gold", "its class is known: it grades the answer"
        RANDOM = "random", "drawn at random"
        HOLDOUT = "holdout", "part of the holdout that evaluation uses"
        CHECK = "check", "settled, and asked again to measure the error"

    # The first two lead a constraint below, whose index serves them; an image's tiles are found by
    # its votes.
    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="tiles", db_index=False)
    annotator = models.ForeignKey(Annotator, models.PROTECT, related_name="tiles", db_index=False)
    image = models.ForeignKey(Image, models.CASCADE, related_name="tiles", db_index=False)
    place = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=11, choices=Reason)
    numbers = models.JSONField(
        default=dict,
        help_text="{probability, entropy, priority} when it was asked; of a Check drawn at random "
        "also {label, confidence}: what its consensus was.",
    )

    class Meta:
        ordering = ["challenge", "place"]
        indexes = [
            models.Index(
                fields=["-id"],
                condition=Q(reason="check"),
                name="check_by_age",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["challenge", "place"], name="a_place_is_unique_in_its_grid"
            ),
            models.UniqueConstraint(
                fields=["annotator", "image"], name="an_annotator_sees_an_image_once"
            ),
        ]

    def __str__(self) -> str:
        return f"place {self.place} of {self.challenge_id}"

    @property
    def selected(self) -> bool | None:
        """Whether the annotator selected it; None while the challenge is not answered.

        Of a reported tile nothing was said: it is not among the selected ones, and has no vote.
        """
        if self.challenge.form == Challenge.Form.CHOICE:
            return None  # a class was chosen, no square
        answer = self.challenge.answer
        return None if answer is None else self.place in answer


class Report(models.Model):
    """One Annotator's word that a picture ought not be asked about; open until an admin decides."""

    class Reason(models.TextChoices):
        BROKEN = "broken", "broken or blank"
        UNFIT = "unfit", "not fit to be shown"
        UNCLEAR = "unclear", "impossible to judge"

    class Decision(models.TextChoices):
        EXCLUDED = "excluded", "excluded"
        KEPT = "kept", "kept"

    project = models.ForeignKey(Project, models.CASCADE, related_name="reports", db_index=False)
    tile = models.ForeignKey(Tile, models.CASCADE, related_name="reports", db_index=False)
    annotator = models.ForeignKey(Annotator, models.PROTECT, related_name="reports")
    image = models.ForeignKey(Image, models.CASCADE, related_name="reports")
    reason = models.CharField(max_length=7, choices=Reason)
    reported_at = models.DateTimeField()

    decision = models.CharField(max_length=8, choices=Decision, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tile"], name="one_report_per_tile"),
            models.CheckConstraint(
                name="a_decided_report_says_when",
                condition=Q(decision="", decided_at__isnull=True)
                | (~Q(decision="") & Q(decided_at__isnull=False)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "image"],
                condition=Q(decided_at__isnull=True),
                name="open_report_by_image",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_id} is {self.get_reason_display()}"
