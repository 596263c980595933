"""Label errors that were planted are found by networks of a real Round that did not learn them."""

import json
from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier import fitting, patches
from fixtures.shapes import draw_shapes
from labelhub.projects.models import Project
from labelhub.rounds.label_doubts import find_label_errors
from labelhub.rounds.models import LabelDoubts, RankingShard
from tests.factories import NOON
from workers.simulate.data import Corpus, SimulationError
from workers.simulate.planted import measure, planted_at_random, planted_by_people
from workers.simulate.world import Setting
from workers.tasks import tick
from workers.torch_tasks import search_labels

pytestmark = pytest.mark.django_db(transaction=True)
SETTING = Setting(
    seeds_per_class=0, grid_edge=3, recipe="features", acquisition=None, choices=False
)


@pytest.fixture(autouse=True)
def _little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "SAMPLE", 4000)
    monkeypatch.setattr(fitting, "TURNS", 20)


def shapes(count: int) -> Corpus:
    drawn = draw_shapes(count=count, seed=3)
    return Corpus(drawn.images, drawn.labels, drawn.classes)


def test_planted_label_errors_are_found_through_a_whole_round() -> None:
    planted = planted_at_random(shapes(180), share=0.1, seed=1)
    assert planted.wrong.sum() == 18
    told = measure(planted, SETTING)
    assert told["labels"] == 180 - _examples()
    assert told["orders"]["labelhub"]["precision"] >= 0.7
    assert told["orders"]["labelhub"]["auroc"] > 0.9
    assert told["suspected_recall"] >= 0.6
    project = Project.objects.get()
    assert not RankingShard.objects.filter(finished_at=None).exists()
    search_labels(project_id=project.pk, from_a_later_version=1)
    row = LabelDoubts.objects.get(project=project)
    assert row.suspected == told["suspected"]
    assert find_label_errors(project=project, now=NOON).entries == row.entries
    search_labels(project_id=project.pk + 1)  # gone meanwhile: nothing to do


def _examples() -> int:
    """Examples are shown beside the question, and nobody doubts their labels."""
    return sum(one.examples.count() for one in Project.objects.get().label_classes.all())


def test_a_share_of_the_labels_is_wrong_and_always_another_class() -> None:
    corpus = shapes(60)
    planted = planted_at_random(corpus, share=0.05, seed=0)
    assert planted.wrong.sum() == 3
    assert ((planted.corpus.labels != corpus.labels) == planted.wrong).all()
    again = planted_at_random(corpus, share=0.05, seed=0)
    assert (again.corpus.labels == planted.corpus.labels).all()


def test_recorded_labels_are_taken_as_people_gave_them() -> None:
    corpus = shapes(3)
    other = [(int(label) + 1) % 6 for label in corpus.labels]
    planted = planted_by_people(corpus, [[other[0], 1], [], [int(corpus.labels[2])]])
    assert planted.wrong.tolist() == [True, False, False]


def test_too_few_labels_and_no_wrong_ones_are_said_in_words() -> None:
    with pytest.raises(SimulationError, match="at least 10"):
        measure(planted_at_random(shapes(8), share=0.5, seed=0), SETTING)


def test_the_command_says_what_is_wrong_with_its_file(tmp_path) -> None:
    path = tmp_path / "nothing.npz"
    np.savez(path, images=np.zeros(3))
    with pytest.raises(CommandError, match="it has no array"):
        call_command("bench_label_errors", images=str(path), here=True)
    with pytest.raises(CommandError, match=r"--wrong-share 0\.9"):
        call_command("bench_label_errors", "--images", str(path), "--wrong-share", "0.9")


def test_a_tick_asks_for_nothing_where_no_network_serves() -> None:
    call_command("create_project", "Empty", "--classes", "a,b", stdout=StringIO())
    tick()
    assert not LabelDoubts.objects.exists()


def test_the_list_is_json(tmp_path) -> None:
    told = measure(planted_at_random(shapes(60), share=0.1, seed=1), SETTING)
    assert json.loads(json.dumps(told)) == told
