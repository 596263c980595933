"""The whole loop with real processes: a person clicks, the clock opens a Round, a worker trains and
ranks, and the next grids ask what the new network doubts. Over SQLite and over PostgreSQL."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from safetensors import safe_open

from labelhub.challenges.models import Challenge, Tile
from labelhub.projects.models import Progress, Project
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, Round
from labelhub.votes import aggregation
from labelhub.votes.models import Consensus, Parameters, Vote
from tests.journeys.ada import Ada
from tests.journeys.real_site import ROWS, TRAINING, RealSite
from tests.supervision.conftest import wait_until

FIRST, SECOND = "network-0.safetensors", "network-1.unfinished"  # of three networks of a Round
SETTINGS = {"images": 240, "gold_per_class": 8, "holdout": True}
SQLITE = pytest.param("sqlite", marks=pytest.mark.xdist_group("whole_sites"))
POSTGRES = pytest.param(
    "postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]
)

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.mark.parametrize("database", [SQLITE, POSTGRES], indirect=True)
def test_clicks_open_a_round_and_the_next_grids_ask_what_its_network_doubts(
    site: RealSite, page: Page, complaints: list[str]
) -> None:
    project = site.new_project(
        name="Loop",
        training_steps=60,
        retrain_min_labels=50,
        retrain_every_minutes=1,
        acquisition="entropy",
        **SETTINGS,
    )
    ada = Ada(page, site, project)
    ada.start()
    ada.label(4)
    assert not rounds(project).exists()  # 36 pictures with votes are not enough
    ada.label(2)
    wait_until(rounds(project).exists, seconds=60, what="the clock opens a Round")
    wait_until(lambda: not the_round(project).is_open, seconds=180, what="the Round is closed")

    done = the_round(project)
    assert (done.state, done.outcome) == ("done", "promoted"), done.reason
    assert (done.trigger, done.fence) == ("schedule", 1)
    assert done.last_vote == Vote.objects.using(ROWS).filter(project=project).latest("pk").pk
    version = ModelVersion.objects.using(ROWS).get(round=done, serving=True)
    assert_files_match(site, version)
    doubts = doubts_of(version)
    active = project.images.filter(status="active")
    assert doubts.keys() == set(active.values_list("pk", flat=True))
    queue = candidates_by_doubt(project, version, doubts)

    ada.label(4)  # two were issued before the ranking, the others after it
    fresh = Challenge.objects.using(ROWS).filter(project=project, issued_at__gt=done.finished_at)
    assert fresh.count() >= 2
    for grid in fresh.order_by("pk"):
        assert_asks_what_is_doubted_most(grid, queue)

    ada.assert_every_click_counts()
    counted = Progress.objects.using(ROWS).filter(project=project, votes=10 * 9)
    wait_until(counted.exists, seconds=40, what="the clock counts the votes")
    page.goto(site.url + project.get_absolute_url())
    expect(page.get_by_text("90 judgements so far.")).to_be_visible()
    assert rounds(project).count() == 1


@pytest.mark.parametrize("database", [SQLITE], indirect=True)
def test_a_worker_killed_in_mid_training_costs_time_and_nothing_else(
    site: RealSite, page: Page, complaints: list[str]
) -> None:
    project = site.new_project(
        name="Kill",
        training_steps=300,
        retrain_min_labels=10,
        retrain_every_minutes=60,
        **SETTINGS,
    )
    ada = Ada(page, site, project)
    ada.start()
    ada.label(2)
    wait_until(rounds(project).exists, seconds=60, what="the clock opens a Round")
    folder = site.data_dir / "rounds" / str(the_round(project).pk)
    wait_until(lambda: kept_steps(folder), seconds=240, what="the second network has begun")
    before = the_round(project)
    assert (before.state, before.fence) == ("training", 1)
    assert before.progress["fraction"] > 1 / 3
    site.run.kill_and_wait_for_the_next(TRAINING)
    finished, steps = (folder / FIRST).stat().st_ino, kept_steps(folder)
    assert steps

    ada.label_until(
        lambda: the_round(project).fence == 2, every=6, seconds=120, what="claimed again"
    )
    assert the_round(project).lease_until > before.lease_until
    ada.label_until(
        lambda: not the_round(project).is_open, every=6, seconds=180, what="the Round is closed"
    )

    done = the_round(project)
    assert (done.state, done.outcome, done.fence) == ("done", "promoted", 2), done.reason
    assert done.snapshot_sha256 == before.snapshot_sha256
    assert site.run.said(f"training goes on from step {steps}, kept in {SECOND}")
    assert rounds(project).count() == 1
    version = ModelVersion.objects.using(ROWS).get(project=project)
    assert_files_match(site, version)
    first = model_file(site, version, version.fold_sha256[0])
    assert first.stat().st_ino == finished, "the finished network was trained again"
    assert not folder.exists()
    ada.assert_every_click_counts()


def rounds(project: Project):
    return Round.objects.using(ROWS).filter(project=project)


def the_round(project: Project) -> Round:
    """The only one there is."""
    return rounds(project).get()


def kept_steps(folder: Path) -> int:
    """The step at which the unfinished second network was saved last; 0 before that."""
    try:
        with safe_open(folder / SECOND, framework="np") as file:
            return int(json.loads(file.metadata()["notes"])["step"])
    except FileNotFoundError:
        return 0


def model_file(site: RealSite, version: ModelVersion, sha256: str) -> Path:
    return site.data_dir / "models" / str(version.project_id) / f"{sha256}.safetensors"


def assert_files_match(site: RealSite, version: ModelVersion) -> None:
    """Every network of the version lies under its hash."""
    for sha256 in (version.sha256, *version.fold_sha256):
        data = model_file(site, version, sha256).read_bytes()
        assert hashlib.sha256(data).hexdigest() == sha256


def doubts_of(version: ModelVersion) -> dict[int, float]:
    """By image, the entropy of what the version says of it, as a Consensus without votes has it."""
    parameters = Parameters.objects.using(ROWS).filter(project=version.project_id)
    mix = parameters.latest("version").prior_mix
    rows = Prediction.objects.using(ROWS).filter(model_version=version)
    images, priors = zip(*rows.values_list("image_id", "prior"), strict=True)
    said = np.stack([np.frombuffer(prior, dtype="<f4") for prior in priors]).astype(float)
    mixed = aggregation.mixed_prior(said / said.sum(axis=1, keepdims=True), mix)
    return dict(zip(images, aggregation.entropy(mixed).tolist(), strict=True))


def candidates_by_doubt(
    project: Project, version: ModelVersion, doubts: dict[int, float]
) -> list[Candidate]:
    """The open pictures nobody has seen, most doubted first: all were queued anew."""
    waiting = Candidate.objects.using(ROWS).filter(project=project, queue="open")
    unseen = list(waiting.exclude(image__in=Tile.objects.using(ROWS).values("image")))
    assert len(unseen) > 50
    for row in unseen:
        consensus = Consensus.objects.using(ROWS).get(image=row.image_id)
        assert consensus.model_version == version.number
        assert row.entropy == pytest.approx(doubts[row.image_id], abs=1e-6)
    assert len({round(row.entropy, 4) for row in unseen}) > len(unseen) / 2
    return sorted(unseen, key=lambda row: -doubts[row.image_id])


def assert_asks_what_is_doubted_most(grid: Challenge, queue: list[Candidate]) -> None:
    """The tiles called uncertain are among the most doubted ones whose question is the grid's,
    out of those that no earlier grid has shown; each says its numbers of the new network."""
    before = Tile.objects.using(ROWS).filter(challenge__lt=grid.pk)
    seen = set(before.values_list("image_id", flat=True))
    wanted = [
        row
        for row in queue
        if row.label_class_id == grid.label_class_id and row.image_id not in seen
    ]
    best = {row.image_id: row for row in wanted[: grid.places]}
    uncertain = grid.tiles.filter(reason=Tile.Reason.UNCERTAIN)
    assert len(uncertain) >= 2
    for tile in uncertain:
        row = best[tile.image_id]
        expected = {"probability": round(row.probability, 4), "entropy": round(row.entropy, 4)}
        assert {name: tile.numbers[name] for name in expected} == expected
