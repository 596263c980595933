"""Measures truth inference over a made-up crowd, beside crowd-kit's where that is installed."""

import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from labelhub.votes.arrays import Ints
from labelhub.votes.truth_inference import LabelTable, accuracy, dawid_skene

CLASSES = 10
ANSWERS_AN_ANNOTATOR = 500
PEER = "crowdkit"


def made_up(items: int, votes_per_item: int, seed: int) -> tuple[LabelTable, Ints]:
    """Answers of annotators with confusions of their own, and the truth (items,)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, CLASSES, items)
    annotators = max(2, items * votes_per_item // ANSWERS_AN_ANNOTATOR)
    right = rng.beta(8, 3, (annotators, CLASSES))
    mistaken = rng.integers(0, CLASSES, (annotators, CLASSES))  # as what each takes a class
    item = np.repeat(np.arange(items), votes_per_item)
    who = rng.integers(0, annotators, len(item))
    true = truth[item]
    wrong = np.where(
        rng.random(len(item)) < 0.5, mistaken[who, true], rng.integers(0, CLASSES, len(item))
    )
    label = np.where(rng.random(len(item)) < right[who, true], true, wrong)
    return LabelTable.of(item, who, label, classes=CLASSES), truth


def measure_aggregation(*, items: int, votes_per_item: int) -> dict[str, Any]:
    """Both in one run, over the same answers."""
    table, truth = made_up(items, votes_per_item, seed=0)
    started = time.perf_counter()
    p = dawid_skene(table)
    seconds = time.perf_counter() - started
    right = accuracy(p, truth)
    peer = _peer(table)
    return {
        "seconds": round(seconds, 3),
        "accuracy": None if right is None else round(right, 5),
        "peer_seconds": None if peer is None else round(peer, 3),
        "ratio": None if peer is None else round(peer / seconds, 2),
    }


def _peer(table: LabelTable) -> float | None:
    """Seconds of crowd-kit's DawidSkene as it comes; None where it is not installed."""
    if find_spec(PEER) is None:
        return None
    frame = import_module("pandas").DataFrame(
        {"task": table.item, "worker": table.annotator, "label": table.label}
    )
    peer: Callable[[], Any] = import_module(f"{PEER}.aggregation").DawidSkene
    started = time.perf_counter()
    peer().fit_predict(frame)
    return time.perf_counter() - started
