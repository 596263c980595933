"""Project, LabelClass, Image, Gold: what is labelled, and what is known for certain."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from labelhub.projects import choices
from labelhub.projects.asking import Asked, asked, require_name
from labelhub.projects.counted import Progress

__all__ = ["FOLDS", "Example", "Gold", "Image", "LabelClass", "Progress", "Project"]
FOLDS = 10  # an image keeps its fold for life; of k networks, one leaves out the folds k apart


class Project(models.Model):
    """A labeling project: its classes and images, how it asks, and when it retrains."""

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"

    Augmentation = choices.Augmentation
    Recipe = choices.Recipe
    Acquisition = choices.Acquisition

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # How it asks.
    grid_edge = models.PositiveSmallIntegerField(
        default=3,
        validators=[MinValueValidator(2), MaxValueValidator(5)],
        help_text="Tiles along one side of a grid.",
    )
    challenge_minutes = models.PositiveSmallIntegerField(
        default=20,
        validators=[MinValueValidator(1)],
        help_text="A grid can be answered for this long; its images wait for the answer meanwhile.",
    )
    graded_share = models.FloatField(
        default=0.25,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of grids with Gold in them for people who are known to answer well; less "
        "where those graded so far all do. Newcomers get Gold in every grid.",
    )
    asks_choices = models.BooleanField(
        default=True,
        help_text="Where that pays more, one picture with all classes to choose from is asked "
        "instead of a grid.",
    )
    random_share = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of the tiles drawn at random, whatever the network thinks.",
    )
    check_share = models.FloatField(
        default=0.02,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="Share of the tiles that ask again about settled images, to measure their error.",
    )
    acquisition = models.CharField(
        max_length=16,
        choices=Acquisition,
        default=Acquisition.INFORMATION,
        help_text="Which images are asked about first.",
    )

    # When an Image counts as settled.
    settle_threshold = models.FloatField(
        default=0.98,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.9999)],
        help_text="Probability of the best class from which an image counts as settled.",
    )
    min_humans = models.PositiveSmallIntegerField(
        default=1, help_text="People who must have voted on an image before it can be settled."
    )

    # The network and its schedule.
    recipe = models.CharField(
        max_length=32,
        choices=choices.recipes,
        default=Recipe.FEATURES,
        help_text="Features needs the fewest labels and its Rounds take seconds; choose seed where "
        "tens of thousands of pictures have labels, or 20 ms and 18 kB a picture are too much; the "
        "others are larger (docs/models.md).",
    )
    image_size = models.PositiveSmallIntegerField(
        default=32,
        validators=[MinValueValidator(16), MaxValueValidator(224)],
        help_text="Edge in pixels of the square picture that the network sees.",
    )
    channels = models.PositiveSmallIntegerField(
        default=3, choices=[(1, "grey"), (3, "colour")], help_text="What the network sees."
    )
    augmentation = models.CharField(
        max_length=8,
        choices=Augmentation,
        default=Augmentation.UPRIGHT,
        help_text="How pictures may be changed without changing their class; not of features.",
    )
    training_steps = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(1)],
        help_text="Optimiser steps of each training, at most; not of features.",
    )
    training_minutes = models.PositiveIntegerField(
        default=15,
        validators=[MinValueValidator(1)],
        help_text="What the trainings of a Round may take together: with less time they take fewer "
        "steps, and still come to their end. Not of features.",
    )
    pretrained = models.CharField(
        max_length=500,
        blank=True,
        help_text="Of resnet: a safetensors file on this server to start from, with the keys of "
        "torchvision's resnet18. Empty: from the beginning.",
    )
    # A minute: a Round of features takes seconds, and twenty people say more in five minutes than
    # the network should wait for. One that takes longer is followed at once, whatever is set here.
    retrain_every_minutes = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1)],
        help_text="A new Round starts at most this often ...",
    )
    retrain_min_labels = models.PositiveIntegerField(
        default=200,
        validators=[MinValueValidator(1)],
        help_text="... and only when this many images have votes that no Round has seen.",
    )
    retrain_at_latest_hours = models.PositiveIntegerField(
        default=24,
        validators=[MinValueValidator(1)],
        help_text="With fewer new votes than that, a Round starts after this time all the same.",
    )

    # Grows whenever a class, its texts or its examples change; caches are keyed by it.
    catalogue_version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_settle_threshold_is_a_probability_above_one_half",
                condition=Q(settle_threshold__gte=0.5, settle_threshold__lt=1),
            ),
            models.CheckConstraint(
                name="a_graded_share_is_a_share", condition=Q(graded_share__range=(0, 1))
            ),
            models.CheckConstraint(
                name="random_tiles_and_checks_are_shares",
                condition=Q(random_share__range=(0, 1), check_share__range=(0, 1)),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("project", args=[self.slug])

    @property
    def tiles_per_grid(self) -> int:
        return self.grid_edge * self.grid_edge


class LabelClass(models.Model):
    """One class of a Project and its question. One of them is *none of these*."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="label_classes")
    key = models.SlugField(max_length=60, help_text="The folder name and the word in exports.")
    name = models.CharField(max_length=80, help_text='With its article: "a bicycle".')
    question = models.CharField(
        max_length=200, blank=True, help_text='Default: "Select all squares with" and the name.'
    )
    texts = models.JSONField(
        default=dict, blank=True, help_text='By language: {"de": {"name": …, "question": …}}.'
    )
    position = models.PositiveSmallIntegerField(help_text="Place in every probability vector.")
    is_none = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ["project", "position"]
        verbose_name_plural = "label classes"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "key"], name="a_class_key_is_unique_in_its_project"
            ),
            models.UniqueConstraint(
                fields=["project", "position"], name="a_class_position_is_unique_in_its_project"
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(is_none=True),
                name="one_none_of_these_in_a_project",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Raises ValidationError for a question that does not name the class."""
        try:
            require_name(self.question)
        except ValidationError as error:
            raise ValidationError({"question": error}) from error

    @property
    def asked(self) -> Asked:
        """The sentence people read above the grid."""
        return asked(self.question, self.name)


class Image(models.Model):
    """One picture, stored once by content hash. A part of a picture is a child with a box."""

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        EXCLUDED = "excluded", "excluded"

    project = models.ForeignKey(Project, models.CASCADE, related_name="images")
    sha256 = models.CharField(max_length=64, help_text="Of the re-encoded pixels; names the file.")
    name = models.CharField(max_length=255, help_text="The name it came in under.")
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    fold = models.PositiveSmallIntegerField(
        help_text="For life: that of a picture it looks like, else its content hash mod k."
    )
    fingerprint = models.BigIntegerField(
        null=True, help_text="How it looks, as likeness compares it; none: like no other."
    )
    holdout = models.BooleanField(default=False, help_text="Never trained on; for evaluation.")
    was_gold = models.BooleanField(
        default=False, help_text="Its Gold was taken back: a network may have learned it."
    )
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="parts")
    box = models.JSONField(
        null=True, blank=True, help_text="Of a part: [left, top, width, height] in pixels."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "sha256"], name="a_picture_is_in_a_project_once"
            ),
            models.CheckConstraint(
                name="a_part_has_a_parent_and_a_box",
                condition=Q(parent__isnull=True, box__isnull=True)
                | Q(parent__isnull=False, box__isnull=False),
            ),
            models.CheckConstraint(
                name="a_fold_is_below_the_number_of_folds", condition=Q(fold__lt=FOLDS)
            ),
        ]
        indexes = [
            models.Index(fields=["project", "holdout"], name="image_by_holdout"),
        ]

    def __str__(self) -> str:
        return self.name


class Gold(models.Model):
    """An Image whose class is known for certain."""

    class Source(models.TextChoices):
        IMPORT = "import", "the importer"
        ADMIN = "admin", "an admin"
        REVIEW = "review", "an expert review"

    image = models.OneToOneField(Image, models.CASCADE, related_name="gold")
    label_class = models.ForeignKey(LabelClass, models.PROTECT, related_name="gold")
    source = models.CharField(max_length=8, choices=Source, default=Source.ADMIN)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "gold"

    def __str__(self) -> str:
        return f"{self.image} is {self.label_class}"


class Example(models.Model):
    """A picture shown beside the question of its class. It is never used to grade people."""

    label_class = models.ForeignKey(LabelClass, models.CASCADE, related_name="examples")
    image = models.OneToOneField(Image, models.CASCADE, related_name="example")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["label_class", "position"]

    def __str__(self) -> str:
        return f"{self.image} shows {self.label_class}"
