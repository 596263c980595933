"""Vote and Consensus: what people said, and what it adds up to."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labelhub.annotators.models import Annotator
from labelhub.projects.models import Image, LabelClass, Project


class Vote(models.Model):
    """One Annotator's word on one Image. Never changed; taken back only by a Retraction row."""

    class Kind(models.TextChoices):
        YES_NO = "yes_no", "yes or no to one class"
        CHOICE = "choice", "a choice of one class"

    # An index that another one covers, or that nothing reads by, is pages to write with each vote.
    project = models.ForeignKey(Project, models.CASCADE, related_name="votes", db_index=False)
    annotator = models.ForeignKey(Annotator, models.PROTECT, related_name="votes", db_index=False)
    image = models.ForeignKey(Image, models.CASCADE, related_name="votes")
    label_class = models.ForeignKey(
        LabelClass, models.PROTECT, related_name="votes", db_index=False
    )
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.YES_NO)
    answer = models.BooleanField(help_text="Yes or no to the class; a choice is always yes.")
    challenge = models.CharField(
        max_length=32, help_text="Public id of the Challenge it answered, if any."
    )
    revision = models.PositiveSmallIntegerField(
        default=0, help_text="How many votes of the same kind its annotator took back before."
    )
    cast_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["annotator", "image", "label_class", "revision"],
                name="one_standing_vote_per_annotator_image_and_class",
            ),
            models.UniqueConstraint(
                fields=["annotator", "image", "revision"],
                condition=Q(kind="choice"),
                name="one_standing_choice_per_annotator_and_image",
            ),
            models.CheckConstraint(
                name="a_choice_is_a_yes", condition=Q(kind="yes_no") | Q(answer=True)
            ),
        ]
        indexes = [models.Index(fields=["project", "id"], name="vote_by_project_and_age")]

    def __str__(self) -> str:
        return f"{'yes' if self.answer else 'no'} to {self.label_class_id} on {self.image_id}"


class Retraction(models.Model):
    """A Vote taken back: an appended row, so that the past stays readable."""

    vote = models.OneToOneField(Vote, models.CASCADE, related_name="retraction")
    reason = models.CharField(max_length=200)
    retracted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    retracted_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"vote {self.vote_id} retracted: {self.reason}"


class Parameters(models.Model):
    """One fitted version of the annotator model: how people answer, and how long they take."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="parameters")
    version = models.PositiveIntegerField()
    label_classes = models.JSONField(help_text="LabelClass ids, in the order of every vector.")
    select_rates = models.JSONField(help_text="Rows true class, columns class asked: P(select).")
    choice_rates = models.JSONField(help_text="Rows true class, columns class chosen.")
    skills = models.BinaryField(
        default=b"", help_text="How each known annotator differs from the crowd: crowd.Skills."
    )
    tile_seconds = models.FloatField(default=1.7, help_text="Of a person's time, for a tile.")
    choice_seconds = models.FloatField(default=4.2, help_text="Of a person's time, for a choice.")
    prior_mix = models.FloatField(default=0.003, help_text="Share of uniform in every prior.")
    fitted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "parameters"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "version"], name="one_parameter_row_per_project_and_version"
            )
        ]

    def __str__(self) -> str:
        return f"parameters {self.version}"


class Consensus(models.Model):
    """What the votes and the network together say of one Image.

    A pure function of the vote rows, of ``prior`` (out-of-fold, calibrated; empty means uniform)
    and of the Parameters named here. Byte fields are little-endian: the prior float32, the
    probabilities float64, both of one entry a LabelClass in the order of the Parameters.
    """

    image = models.OneToOneField(Image, models.CASCADE, related_name="consensus")
    # No index on what changes with every vote: the few who count classes read a project's rows.
    project = models.ForeignKey(Project, models.CASCADE, related_name="consensus")
    parameters = models.ForeignKey(
        Parameters, models.PROTECT, related_name="consensus", db_index=False
    )
    model_version = models.PositiveIntegerField(
        null=True, help_text="Number of the ModelVersion whose Prediction is the prior."
    )
    prior = models.BinaryField(default=b"")
    probabilities = models.BinaryField()
    label_class = models.ForeignKey(
        LabelClass, models.PROTECT, related_name="consensus", db_index=False
    )
    confidence = models.FloatField(help_text="Probability of the label class.")
    entropy = models.FloatField(help_text="Of the probabilities, in nats.")
    humans = models.PositiveIntegerField(
        default=0, help_text="People with a standing vote that counts."
    )
    settled = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "consensus"
        constraints = [
            models.CheckConstraint(
                name="a_confidence_is_a_probability",
                condition=Q(confidence__gte=0, confidence__lte=1.000001),
            )
        ]

    def __str__(self) -> str:
        return f"{self.image_id}: {self.label_class_id} ({self.confidence:.0%})"
