"""Round, ModelVersion, Prediction: turns of the loop, the networks they made, what those say."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from labelhub.projects.models import Image, LabelClass, Project

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Round(models.Model):
    """One turn of the loop: a label snapshot, a training, an evaluation, a promotion or a refusal,
    a ranking. The row is the truth; the message that starts the work is a hint."""

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        SNAPSHOT = "snapshot", "taking the label snapshot"
        TRAINING = "training", "training"
        EVALUATING = "evaluating", "evaluating"
        RANKING = "ranking", "ranking the images"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    class Outcome(models.TextChoices):
        PROMOTED = "promoted", "promoted"
        REFUSED = "refused", "refused"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "the schedule"
        PERSON = "person", "a person"

    CLOSED = (State.DONE, State.FAILED)

    project = models.ForeignKey(Project, models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=8, choices=Outcome, blank=True)
    reason = models.TextField(blank=True, help_text="Why it was promoted, refused or failed.")
    trigger = models.CharField(max_length=8, choices=Trigger, default=Trigger.SCHEDULE)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    # Who works on it: the fence grows with every claim, and a write with an old fence is refused.
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    hinted_at = models.DateTimeField(null=True, blank=True, help_text="When a message was sent.")
    progress = models.JSONField(default=dict, help_text="{stage, fraction, loss, seconds_left}")

    last_vote = models.BigIntegerField(default=0, help_text="Highest vote id in the snapshot.")
    last_image = models.BigIntegerField(
        default=0, help_text="Highest image id in the snapshot: what came later was not learned."
    )
    snapshot_sha256 = models.CharField(max_length=64, blank=True)
    snapshot = models.JSONField(default=dict, help_text="Counts of the label snapshot.")
    seconds = models.JSONField(default=dict, help_text="By stage.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "number"], name="a_round_number_is_unique_in_its_project"
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=~Q(state__in=["done", "failed"]),
                name="one_open_round_per_project",
            ),
            models.CheckConstraint(
                name="a_closed_round_has_an_end",
                condition=~Q(state__in=["done", "failed"]) | Q(finished_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Round {self.number}"

    @property
    def is_open(self) -> bool:
        return self.state not in self.CLOSED


class ModelVersion(models.Model):
    """One trained network. It serves a project only after it was promoted."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    round = models.OneToOneField(Round, models.CASCADE, related_name="model_version")
    recipe = models.CharField(max_length=32)
    config = models.JSONField(default=dict)
    label_classes = models.JSONField(help_text="LabelClass ids, in the order of the outputs.")
    sha256 = models.CharField(max_length=64, help_text="Of the served network's file.")
    fold_sha256 = models.JSONField(default=list, help_text="Of the fold networks' files, by fold.")
    temperature = models.FloatField(default=1.0)
    metrics = models.JSONField(default=dict)
    provisional = models.BooleanField(
        default=True, help_text="Evaluated by cross-validation: the holdout is too young."
    )
    serving = models.BooleanField(default=False)
    promoted_at = models.DateTimeField(null=True, blank=True)
    before = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The version that served when this one was promoted: where a rollback goes.",
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "number"], name="a_version_number_is_unique_in_its_project"
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(serving=True),
                name="one_model_version_serves_a_project",
            ),
            models.CheckConstraint(
                name="a_serving_version_was_promoted",
                condition=Q(serving=False) | Q(promoted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class RankingShard(models.Model):
    """A range of Images that one task ranks for a ModelVersion; done once, repeated at no harm."""

    model_version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="ranking_shards")
    number = models.PositiveIntegerField()
    first_image = models.BigIntegerField()
    last_image = models.BigIntegerField(help_text="Included.")
    hinted_at = models.DateTimeField(null=True, blank=True, help_text="When a message was sent.")
    leased_until = models.DateTimeField(null=True, blank=True, help_text="A worker is at it.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="How often a worker took it.")
    trouble = models.TextField(blank=True, help_text="What ended the last try.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "number"], name="a_shard_number_is_unique_in_its_ranking"
            )
        ]

    def __str__(self) -> str:
        return f"shard {self.number} of {self.model_version}"


class Prediction(models.Model):
    """One ModelVersion's calibrated softmax for one Image: one row an image, never one a class.

    Byte fields are little-endian float32, one entry a class in the version's order.
    """

    model_version = models.ForeignKey(
        ModelVersion, models.CASCADE, related_name="predictions", db_index=False
    )
    image = models.ForeignKey(Image, models.CASCADE, related_name="predictions")
    probabilities = models.BinaryField(help_text="Of the served network.")
    prior = models.BinaryField(help_text="Of the networks that did not train on the image.")
    entropy = models.FloatField(help_text="Of the prior, in nats: how unsure the network is.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "image"], name="one_prediction_per_version_and_image"
            )
        ]
        indexes = [models.Index(fields=["model_version", "-entropy"], name="prediction_by_entropy")]

    def __str__(self) -> str:
        return f"{self.model_version_id} on {self.image_id}"


class LabelDoubts(models.Model):
    """The settled labels of a Project that out-of-fold networks doubt most; replaced as a whole."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="label_doubts")
    model_version = models.ForeignKey(ModelVersion, models.CASCADE, related_name="+")
    labels = models.PositiveIntegerField(help_text="How many were looked at.")
    suspected = models.PositiveIntegerField(help_text="How many of them are likely wrong.")
    entries = models.JSONField(
        default=list, help_text="[image, label, likely, doubt], the most doubtful first."
    )
    found_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "label doubts"

    def __str__(self) -> str:
        return f"{self.suspected} of {self.labels} labels are doubted"


class Candidate(models.Model):
    """An Image's place in the queues that the composer draws from.

    ``label_class`` is the class to ask about (of Gold: its true class); an open image whose
    ``form`` is a choice is shown with all classes instead. Open and holdout images are drawn by
    ``priority``, which grows with how much they are wanted; Gold by ``asked_at``, longest ago
    first. A lease keeps two grids in flight from asking the same; Gold is never leased.
    """

    class Queue(models.TextChoices):
        OPEN = "open", "open"
        GOLD = "gold", "gold"
        HOLDOUT = "holdout", "holdout"

    # Each index is of one queue, so that an image's move is written to its own alone.
    project = models.ForeignKey(Project, models.CASCADE, related_name="candidates", db_index=False)
    image = models.OneToOneField(Image, models.CASCADE, related_name="candidate")

    class Form(models.TextChoices):
        GRID = "grid", "a yes or no to the class"
        CHOICE = "choice", "a choice among all classes"

    queue = models.CharField(max_length=8, choices=Queue, default=Queue.OPEN)
    form = models.CharField(
        max_length=6, choices=Form, default=Form.GRID, help_text="How it is best asked about."
    )
    settled = models.BooleanField(default=False, help_text="It may be asked again as a Check.")
    label_class = models.ForeignKey(
        LabelClass, models.CASCADE, related_name="candidates", db_index=False
    )
    priority = models.FloatField(default=0.0)
    probability = models.FloatField(
        default=0.0, help_text="Of the label class, when it was queued."
    )
    entropy = models.FloatField(default=0.0, help_text="Of the consensus, when it was queued.")
    score = models.FloatField(
        default=0.0, help_text="By the last ranking, where that looks at more than one belief."
    )
    shuffle = models.FloatField(help_text="A random number by content hash, for random draws.")
    fingerprint = models.BigIntegerField(
        null=True, help_text="The image's, for sheets of unlike pictures."
    )
    leased_until = models.DateTimeField(default=LONG_AGO)
    asked_at = models.DateTimeField(default=LONG_AGO, help_text="When a grid last showed it.")

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "label_class", "-priority"],
                condition=Q(queue="open", form="grid"),
                name="open_candidate_by_class",
            ),
            models.Index(
                fields=["project", "-priority"],
                condition=Q(queue="open", form="choice"),
                name="open_candidate_for_a_choice",
            ),
            models.Index(
                fields=["project", "shuffle"],
                condition=Q(queue="open", settled=True),
                name="settled_candidate_by_shuffle",
            ),
            models.Index(
                fields=["project", "shuffle"],
                condition=Q(queue="open"),
                name="open_candidate_by_shuffle",
            ),
            models.Index(
                fields=["project", "label_class", "-priority"],
                condition=Q(queue="holdout"),
                name="holdout_candidate_by_class",
            ),
            models.Index(
                fields=["project", "label_class", "asked_at"],
                condition=Q(queue="gold"),
                name="gold_candidate_by_class",
            ),
            models.Index(
                fields=["project", "asked_at"],
                condition=Q(queue="gold"),
                name="gold_candidate_by_age",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.image_id} in {self.queue}"
