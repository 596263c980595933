"""The numbers of the cockpit as JSON types, for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from labelhub.challenges.checks import settled_error
from labelhub.dashboard.attention import needs
from labelhub.dashboard.image_selectors import images_in_doubt
from labelhub.dashboard.pages import GALLERY
from labelhub.dashboard.schedule import next_possible
from labelhub.dashboard.selectors import (
    Standing,
    class_counts,
    round_records,
    standing,
)
from labelhub.projects.models import Progress, Project
from labelhub.projects.selectors import catalogue
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import learning_curve

ROUNDS = 200


def stats(*, project: Project, now: datetime) -> dict[str, Any]:
    """All that the cockpit of a project shows."""
    stand = standing(project=project)
    return {
        "project": project.slug,
        "status": project.status,
        **_progress(project.progress),
        "serving": _version(stand.serving),
        "needs": [
            {"key": need.key, "words": need.words, "step": need.step} for need in needs(stand, now)
        ],
        "round": _round(stand.latest),
        "schedule": _schedule(stand),
        "classes": _classes(stand),
        "settled_error": [asdict(level) for level in settled_error(project=project)],
        "rounds": [asdict(record) for record in round_records(project=project, most=ROUNDS)],
        "learning_curve": [asdict(one) for one in learning_curve(project=project, most=ROUNDS)],
        "in_doubt": _in_doubt(stand),
    }


def _progress(progress: Progress) -> dict[str, Any]:
    return {
        "images": progress.images,
        "voted": progress.voted,
        "settled": progress.settled,
        "votes": progress.votes,
        "contested": progress.contested,
        "counted_at": progress.counted_at,
    }


def _classes(stand: Standing) -> list[dict[str, Any]]:
    return [
        {
            "key": count.entry.key,
            "name": count.entry.name,
            "images": count.images,
            "settled": count.settled,
            "gold": count.gold,
        }
        for count in class_counts(project=stand.project, gold=stand.gold)
    ]


def _in_doubt(stand: Standing) -> list[dict[str, Any]]:
    keys = {entry.id: entry.key for entry in catalogue(stand.project).entries}
    doubts = images_in_doubt(project=stand.project, serving=stand.serving, most=GALLERY)
    return [
        {
            "image": doubt.image_id,
            "name": doubt.name,
            "entropy": doubt.entropy,
            "probabilities": _by_key(doubt.probabilities, keys),
        }
        for doubt in doubts
    ]


def _by_key(probabilities: Sequence[tuple[int, float]], keys: dict[int, str]) -> dict[str, float]:
    return {keys[label_class]: round(share, 6) for label_class, share in probabilities}


def _version(serving: ModelVersion | None) -> dict[str, Any] | None:
    if serving is None:
        return None
    return {
        "number": serving.number,
        "accuracy": serving.metrics.get("accuracy"),
        "measured": serving.metrics.get("images", 0),
        "measured_on": serving.metrics.get("measured_on", ""),
        "interval": serving.metrics.get("interval"),
        "ece": serving.metrics.get("ece"),
        "ece_before": serving.metrics.get("ece_before"),
        "provisional": serving.provisional,
        "promoted_at": serving.promoted_at,
    }


def _round(latest: Round | None) -> dict[str, Any] | None:
    if latest is None:
        return None
    return {
        "number": latest.number,
        "state": latest.state,
        "outcome": latest.outcome,
        "reason": latest.reason,
        "progress": latest.progress,
        "opened_at": latest.opened_at,
        "finished_at": latest.finished_at,
    }


def _schedule(stand: Standing) -> dict[str, Any]:
    project = stand.project
    return {
        "every_minutes": project.retrain_every_minutes,
        "min_labels": project.retrain_min_labels,
        "at_latest_hours": project.retrain_at_latest_hours,
        "images_with_news": stand.news,
        "next_possible": next_possible(stand),
    }
