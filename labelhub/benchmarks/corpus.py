"""A project of N images in the middle of its life, made in bulk for a serving benchmark."""

import os
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils import timezone

from labelhub.projects.commands import progress
from labelhub.projects.folds import fold_of
from labelhub.projects.models import Image, Project
from labelhub.projects.pictures import clean_array, store
from labelhub.projects.services import create_project
from labelhub.rounds.holdout import top_up_holdout
from labelhub.rounds.progress import count_progress
from labelhub.rounds.queueing import open_for_labelling, requeue
from labelhub.votes.consensus import Basis
from labelhub.votes.parameters import first_parameters
from labelhub.votes.services import refresh_consensus

CLASSES = ("circle", "cross", "triangle", "square", "star", "ring")
PICTURES = 512  # different files; every image has a name of its own for one of them
GOLD_SHARE, GOLD_MOST = 0.05, 3000
GOLD_SHARE_MOST = 0.25  # of a corpus so small that each class would have hardly any
BATCH = 2000


def make_corpus(*, images: int, edge: int = 32, seed: int = 0) -> Project:
    """The project, with pictures in their folder, Gold, holdout, priors and full queues."""
    rng = np.random.default_rng(seed)
    project = create_project(name="Benchmark", class_names=CLASSES, asks_choices=False)
    files = _pictures(rng, edge)
    classes = list(project.label_classes.filter(is_none=False))
    gold_left = min(GOLD_MOST, max(60, int(images * GOLD_SHARE)), int(images * GOLD_SHARE_MOST))
    now = timezone.now() - timedelta(days=1)
    with progress("images", total=images) as forward:
        for start in range(0, images, BATCH):
            rows = Image.objects.bulk_create(
                _row(project, number, files, edge)
                for number in range(start, min(start + BATCH, images))
            )
            gold = {row.pk: classes[row.pk % len(classes)] for row in rows[:gold_left]}
            gold_left -= len(gold)
            open_for_labelling(project=project, images=rows, gold=gold, now=now)
            _believe(project, [row.pk for row in rows], rng)
            forward(len(rows))
    top_up_holdout(project=project, now=now)
    count_progress(now=now)
    return project


def _pictures(rng: np.random.Generator, edge: int) -> list[str]:
    """Stored pictures of blocks of colour with noise: about as hard to compress as drawings."""
    hashes = []
    for number in range(PICTURES):
        blocks = rng.integers(40, 215, (edge // 8, edge // 8, 3)).repeat(8, 0).repeat(8, 1)
        noisy = np.clip(blocks + rng.normal(0, 8, blocks.shape), 0, 255).astype(np.uint8)
        picture = clean_array(noisy, f"picture {number}")
        store(picture)
        hashes.append(picture.sha256)
    return hashes


def _row(project: Project, number: int, files: list[str], edge: int) -> Image:
    """An image row whose files are hard links to one of the pictures."""
    name = sha256(f"{number}".encode()).hexdigest()
    root = Path(settings.DATA_DIR) / "pictures"
    source = files[number % len(files)]
    (root / name[:2]).mkdir(parents=True, exist_ok=True)
    for path in (root / source[:2]).glob(f"{source}.*"):
        os.link(path, root / name[:2] / (name + path.suffix))
    return Image(
        project=project,
        sha256=name,
        name=f"{number}.png",
        width=edge,
        height=edge,
        fold=fold_of(name),
        fingerprint=int(name[:16], 16) - 2**63,
    )


def _believe(project: Project, images: list[int], rng: np.random.Generator) -> None:
    """Priors as a network that is right nine times in ten gives them."""
    model = first_parameters(project=project, now=timezone.now())
    sharp = rng.dirichlet(np.full(model.classes, 0.15), len(images)).astype("<f4")
    priors = {image: row.tobytes() for image, row in zip(images, sharp, strict=True)}
    batch = refresh_consensus(images=images, now=timezone.now(), basis=Basis(model, None, priors))
    requeue(project=project, batch=batch, release=False)
