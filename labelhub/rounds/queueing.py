"""Candidate queues: every Image's place among the questions still worth asking."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from django.db import transaction

from labelhub.projects.models import Gold, Image, LabelClass, Project
from labelhub.projects.rows import update_rows
from labelhub.projects.selectors import catalogue
from labelhub.projects.services import add_examples, record_gold, touch_catalogue
from labelhub.rounds.acquisition import BY_RANKING, Standing, priorities
from labelhub.rounds.models import LONG_AGO, Candidate
from labelhub.rounds.places import QueuePlace, one_of_each_look
from labelhub.votes.consensus import ConsensusBatch
from labelhub.votes.models import Consensus
from labelhub.votes.questions import GOLDEN_RATIO, TIE, Questions, best_questions
from labelhub.votes.services import refresh_consensus, start_consensus

MANY_PEOPLE = 7  # who still disagree about an image: others are asked about first
UNFINISHED = 100.0  # above every other priority
CONTESTED = -1.0  # below


def open_for_labelling(
    *, project: Project, images: Sequence[Image], gold: Mapping[int, LabelClass], now: datetime
) -> None:
    """Give new images their first Consensus and their place in the queues; one transaction.

    ``gold`` maps image ids to classes known from the import.
    """
    if not images:
        return
    with transaction.atomic():
        record_gold(gold=gold, source=Gold.Source.IMPORT, created_by_id=None, now=now)
        batch = start_consensus(project=project, images=[image.pk for image in images], now=now)
        _enter(project, images, batch)


def _enter(project: Project, images: Sequence[Image], batch: ConsensusBatch) -> None:
    """Give images without a place in the queues the one that their Consensus says."""
    of = {image.pk: image for image in images}
    looks = {image.pk: image.fingerprint for image in images}
    Candidate.objects.bulk_create(
        Candidate(
            project=project,
            shuffle=_shuffle_of(of[place.image_id].sha256),
            fingerprint=looks[place.image_id],
            **place._asdict(),
        )
        for place in one_of_each_look(_places(project, batch), looks)
    )


def requeue(
    *,
    project: Project,
    batch: ConsensusBatch,
    release: bool,
    scores: Mapping[int, float] | None = None,
) -> None:
    """Move the open and holdout images of a batch to where their Consensus puts them now.

    ``release`` ends their leases: their question was answered. Else, of those that look alike all
    but one are put off. Images without a place (examples, excluded ones) get none; Gold keeps its
    own order. ``scores`` are a ranking's, by image id; else they stay as they were.
    """
    kept = {"queue"} if release else {"queue", "leased_until"}
    names = tuple(name for name in QueuePlace._fields if name not in kept)
    places = _places(project, batch, scores)
    if not release:
        queued = Candidate.objects.filter(image_id__in=[place.image_id for place in places])
        looks = queued.filter(fingerprint__isnull=False).values_list("image_id", "fingerprint")
        places = one_of_each_look(places, dict(looks))
    rows = [[getattr(place, name) for name in names] for place in places]
    update_rows(Candidate, names, rows, unless="queue = 'gold'")


def mark_gold(
    *,
    project: Project,
    gold: Mapping[int, LabelClass],
    source: Gold.Source,
    created_by_id: int | None,
    now: datetime,
) -> None:
    """Declare the class of images already in the project; they grade people from now on.

    Raises GoldContradiction when one is Gold of another class.
    """
    if not gold:
        return
    with transaction.atomic():
        record_gold(gold=gold, source=source, created_by_id=created_by_id, now=now)
        refresh_consensus(images=list(gold), now=now)
        for label_class in set(gold.values()):
            images = [image_id for image_id, row in gold.items() if row == label_class]
            Candidate.objects.filter(project=project, image_id__in=images).update(
                queue=Candidate.Queue.GOLD,
                form=Candidate.Form.GRID,
                label_class=label_class,
                priority=0.0,
                probability=1.0,
                entropy=0.0,
                leased_until=LONG_AGO,  # a grid in flight holds it no more: Gold is shared
            )


def correct_gold(
    *, image: Image, label_class: LabelClass, corrected_by_id: int | None, now: datetime
) -> None:
    """Say another class of an image that is Gold. From now on it grades by that one.

    Answers given before keep the grades they got: they were right by what was known. Raises
    Gold.DoesNotExist.
    """
    with transaction.atomic():
        gold = Gold.objects.select_for_update().get(image=image)
        gold.label_class, gold.source = label_class, Gold.Source.ADMIN
        gold.created_by_id, gold.created_at = corrected_by_id, now
        gold.save(update_fields=["label_class", "source", "created_by", "created_at"])
        refresh_consensus(images=[image.pk], now=now)
        queued = Candidate.objects.filter(image=image, queue=Candidate.Queue.GOLD)
        queued.update(label_class=label_class)


def take_back_gold(*, image: Image, now: datetime) -> None:
    """Make an image ordinary again: it rests on its votes, and is asked about where they put it.

    Answers that it graded keep their grades, and it is noted that a network may have learned it.
    Raises Gold.DoesNotExist.
    """
    with transaction.atomic():
        Gold.objects.select_for_update().get(image=image).delete()
        Image.objects.filter(pk=image.pk).update(was_gold=True)
        queued, _ = Candidate.objects.filter(image=image).delete()
        if queued:
            queue_anew(project=image.project, images=[image.pk], now=now)
        elif Consensus.objects.filter(image=image).exists():
            refresh_consensus(images=[image.pk], now=now)


def withdraw(*, images: Sequence[int]) -> None:
    """Ask about images no more, until they are queued anew. Grids in flight may be answered."""
    Candidate.objects.filter(image_id__in=images).delete()


def queue_anew(*, project: Project, images: Sequence[int], now: datetime) -> None:
    """Give images that left the queues the place that their votes and Gold say now.

    Those that have a place keep it; excluded images and examples get none.
    """
    with transaction.atomic():
        # Locked, and in two steps: of two requests at once, the second sees what the first did.
        locked = Image.objects.select_for_update(no_key=True).filter(pk__in=images).order_by("pk")
        ids = list(locked.values_list("pk", flat=True))
        waiting = list(
            Image.objects.filter(
                pk__in=ids,
                status=Image.Status.ACTIVE,
                example__isnull=True,
                candidate__isnull=True,
                consensus__isnull=False,
            )
        )
        if waiting:
            batch = refresh_consensus(images=[image.pk for image in waiting], now=now)
            _enter(project, waiting, batch)


def exclude_image(*, image: Image) -> None:
    """Ask about an image no more, and count it nowhere: not in progress, training or ranking.

    Its votes and its Gold stay as they are, for the day it is included again.
    """
    with transaction.atomic():
        Image.objects.filter(pk=image.pk).update(status=Image.Status.EXCLUDED)
        withdraw(images=[image.pk])
        touch_catalogue(project_id=image.project_id)  # it may be an example


def include_image(*, image: Image, now: datetime) -> None:
    """Count an image that was excluded again, and queue it where its votes and its Gold say."""
    excluded = Image.objects.filter(pk=image.pk, status=Image.Status.EXCLUDED)
    with transaction.atomic():
        if excluded.update(status=Image.Status.ACTIVE):
            touch_catalogue(project_id=image.project_id)
        queue_anew(project=image.project, images=[image.pk], now=now)


def show_examples(*, label_class: LabelClass, images: Sequence[Image]) -> None:
    """Show pictures beside the question of their class, and ask about them no more."""
    with transaction.atomic():
        add_examples(label_class=label_class, images=images)
        Candidate.objects.filter(image__in=images).delete()


def questions(project: Project, batch: ConsensusBatch) -> Questions:
    """The best question about each image of the batch, and its form."""
    model = batch.model
    return best_questions(
        batch.probabilities,
        select_rates=model.crowd.select_rates,
        choice_rates=model.crowd.choice_rates,
        askable=np.array([model.index(entry.id) for entry in catalogue(project).askable]),
        costs=model.costs,
        choices=project.asks_choices,
        images=np.array([state.image_id for state in batch.states]),
    )


def _scores(
    project: Project, batch: ConsensusBatch, given: Mapping[int, float] | None
) -> list[float]:
    """The ranking's score of each image; read only where it is asked for."""
    images = [state.image_id for state in batch.states]
    if given is None:
        if project.acquisition not in BY_RANKING:
            return [0.0] * len(images)
        rows = Candidate.objects.filter(image_id__in=images)
        given = dict(rows.values_list("image_id", "score"))
    return [given.get(image, 0.0) for image in images]


def _places(
    project: Project, batch: ConsensusBatch, given: Mapping[int, float] | None = None
) -> list[QueuePlace]:
    """The place of each image of the batch."""
    scores = _scores(project, batch, given)
    best = questions(project, batch)
    entropies, settled = batch.entropies.tolist(), batch.settled
    wanted = _wanted(project, batch, best, scores)
    places = []
    for row, state in enumerate(batch.states):
        is_gold = state.gold is not None
        k = int(batch.probabilities[row].argmax()) if is_gold else int(best.asked[row])
        is_choice = bool(best.as_choice[row]) and not (is_gold or state.holdout)
        places.append(
            QueuePlace(
                queue=_queue(is_gold=is_gold, is_holdout=state.holdout),
                form=Candidate.Form.CHOICE if is_choice else Candidate.Form.GRID,
                settled=settled[row],
                label_class_id=batch.model.label_classes[k],
                priority=wanted[row],
                probability=float(batch.probabilities[row, k]),
                entropy=entropies[row],
                score=scores[row],
                leased_until=LONG_AGO,
                image_id=state.image_id,
            )
        )
    return places


def _wanted(
    project: Project, batch: ConsensusBatch, best: Questions, scores: Sequence[float]
) -> list[float]:
    """The priority of each image. Equals, as all are before any vote or network, are asked from
    all over the import: its beginning may be of one class.

    Images that many people have not settled go to the end: an expert is to look at them. The
    holdout is finished one image after the other, in an order that has nothing to do with what they
    show: a hundred whose truth is known measure a network, a thousand with one vote each do not.
    """
    turns = [state.image_id * GOLDEN_RATIO % 1.0 for state in batch.states]
    standing = Standing(
        beliefs=batch.probabilities,
        softmax=batch.priors,
        rate=best.rate,
        chance=np.array(turns),
        scores=np.array(scores),
    )
    order = priorities(project.acquisition, standing) + TIE * standing.chance
    wanted: list[float] = order.tolist()
    for row, state in enumerate(batch.states):
        crowded = batch.humans[row] >= MANY_PEOPLE
        if state.holdout and not batch.told_enough[row] and not crowded:
            wanted[row] = UNFINISHED + turns[row]
        elif crowded and not batch.settled[row]:
            wanted[row] = CONTESTED
    return wanted


def _queue(*, is_gold: bool, is_holdout: bool) -> Candidate.Queue:
    if is_gold:
        return Candidate.Queue.GOLD
    return Candidate.Queue.HOLDOUT if is_holdout else Candidate.Queue.OPEN


def _shuffle_of(sha256: str) -> float:
    """A number in [0, 1) by content hash: a random order that every process agrees on."""
    return int(sha256[8:21], 16) / 16**13
