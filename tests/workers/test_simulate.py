"""The simulation: what it reads, who answers in it, and a whole play on a handful of pictures."""

import gzip

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from labelhub.challenges.models import Challenge, Tile
from labelhub.projects.models import Gold, LabelClass, Progress, Project
from labelhub.rounds.models import ModelVersion
from labelhub.votes.models import Parameters, Vote
from workers.management.commands.simulate import Command, _setting
from workers.simulate.data import Corpus, SimulationError, read_corpus, read_votes
from workers.simulate.people import NONE, Habits, MadeUp, Recorded
from workers.simulate.play import BEGIN, Play, Rules
from workers.simulate.scoring import Point, reached
from workers.simulate.world import Setting, make_world

pytestmark = pytest.mark.django_db
COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 200))


def colours(count: int) -> Corpus:
    """Red, green and blue pictures, one after the other, with noise."""
    generator = np.random.default_rng(0)
    labels = np.arange(count) % 3
    noise = generator.integers(0, 40, (count, 16, 16, 3))
    images = (np.array(COLOURS)[labels][:, None, None, :] + noise).astype(np.uint8)
    return Corpus(images, labels, ("red", "green", "blue"))


def written(corpus: Corpus, path):
    np.savez(path, images=corpus.images, labels=corpus.labels, classes=np.array(corpus.classes))
    return path


def played(people, *, corpus, judgements=0.5, seed=0, **setting) -> list[Point]:
    setting = Setting(
        **{
            "seeds_per_class": 6,
            "grid_edge": 2,
            "recipe": None,
            "acquisition": None,
            "choices": True,
            "seed": seed,
        }
        | setting
    )
    rules = Rules(judgements, None, 1.7, 4.2, 4, seed)
    return Play(make_world(corpus, people, setting), rules, lambda share: None).run()


def test_a_play_goes_through_the_real_rows_and_counts_every_judgement() -> None:
    corpus = colours(90)
    points = played(MadeUp([Habits(count=4, accuracy=1.0)], corpus, 0), corpus=corpus)
    answered = Challenge.objects.filter(state=Challenge.State.ANSWERED)
    judged = Tile.objects.filter(challenge__in=answered).count()
    assert points[-1].judgements_per_image == pytest.approx(judged / 90, abs=1e-3)
    assert Vote.objects.count() == judged
    assert ModelVersion.objects.filter(serving=True).exists()
    assert points[0].judgements_per_image == 0
    assert points[-1].label_accuracy > 0.9


def test_a_play_is_set_up_as_a_new_project_is_unless_something_else_is_asked(tmp_path) -> None:
    command = Command().create_parser("manage.py", "simulate")
    asked = ["--images", "F.npz", "--annotators", "A.json"]
    corpus, new = colours(30), Project()

    def set_up(*more: str) -> tuple[str, int]:
        setting = _setting(vars(command.parse_args([*asked, *more])))
        with transaction.atomic():
            project = make_world(corpus, MadeUp([Habits()], corpus, 0), setting).project
            transaction.set_rollback(True)
        return project.recipe, project.retrain_every_minutes

    assert set_up() == (new.recipe, new.retrain_every_minutes) == ("features", 1)
    assert set_up("--recipe", "seed", "--retrain-every-minutes", "7") == ("seed", 7)


@pytest.mark.parametrize(
    ("option", "values", "said"),
    [
        ("--recipe", ["alchemy"], r"invalid choice: 'alchemy' \(choose from .*features"),
        ("--seed", ["-1", "x", "0.5"], "give a whole number, 0 or more"),
        ("--seeds-per-class", ["-3", "nan"], "give a whole number, 0 or more"),
        ("--retrain-every-minutes", ["0", "-1", "x", "9999999"], "whole number, 1 to 1,000,000"),
        ("--concurrent", ["0", "inf"], "give a whole number, 1 to 100,000"),
        ("--judgements-per-image", ["0", "-1", "nan", "inf", "x"], "a number above 0, up to 1,000"),
        ("--human-seconds-per-image", ["0", "-1", "nan"], "a number above 0, up to 3,600"),
        ("--tile-seconds", ["0", "-1", "nan", "inf"], "a number above 0, up to 3,600"),
        ("--choice-seconds", ["0", "-1", "nan", "inf"], "a number above 0, up to 3,600"),
        ("--grid", ["5", "1", "36", "x", "-9"], "give 4, 9, 16 or 25 tiles"),
        ("--forms", ["choice", "x", ""], "give 'grid' or 'grid,choice'"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_what_can(option, values, said) -> None:
    for value in values:
        with pytest.raises(CommandError, match=f"{option}.*{said}") as refusal:
            call_command("simulate", "--images", "F", "--annotators", "A", f"{option}={value}")
        assert "\n" not in str(refusal.value)


def test_people_alone_bring_a_small_project_without_gold_to_a_network_that_serves() -> None:
    corpus = colours(90)
    people = MadeUp([Habits(count=4, accuracy=0.9)], corpus, 0)
    points = played(people, corpus=corpus, judgements=2.5, seeds_per_class=0)
    assert not Gold.objects.exists()
    first = ModelVersion.objects.filter(promoted_at__isnull=False).earliest("pk")
    assert first.metrics["measured_on"] == "images labelled by votes, cross-validated"
    assert first.metrics["images"] >= 30
    assert points[-1].label_accuracy > 0.9


def test_the_clock_counts_the_projects_progress_while_people_play() -> None:
    corpus = colours(90)
    people = MadeUp([Habits(count=4, accuracy=1.0, pace=6.0)], corpus, 0)
    played(people, corpus=corpus)
    progress = Progress.objects.get()
    assert progress.counted_at > BEGIN, "counted before the first answer, and again after some"
    assert progress.images == 90
    assert progress.voted > 0
    assert set(progress.found) <= {
        str(pk) for pk in LabelClass.objects.values_list("pk", flat=True)
    }
    assert progress.found, "what rare classes are found by"
    in_force = Parameters.objects.latest("version")
    assert progress.tile_seconds == in_force.tile_seconds


def test_a_play_is_the_same_for_the_same_seed() -> None:
    corpus = colours(60)

    def told() -> list[tuple[float, float, float]]:
        people = MadeUp([Habits(count=3, accuracy=0.8)], corpus, 5)
        with transaction.atomic():
            points = played(people, corpus=corpus, judgements=0.3, seed=5)
            transaction.set_rollback(True)
        return [
            (p.judgements_per_image, p.human_seconds_per_image, p.label_accuracy) for p in points
        ]

    assert told() == told()


def test_recorded_labels_are_drawn_once_each_and_their_images_are_asked_no_more() -> None:
    corpus = colours(60)
    labels = [[int(label)] for label in corpus.labels]
    people = Recorded(labels, 3, np.random.default_rng(0))
    points = played(people, corpus=corpus, judgements=5.0)
    assert points[-1].judgements_per_image <= 1.0
    assert Vote.objects.count() <= 60


def test_a_person_sees_a_picture_the_same_way_every_time() -> None:
    corpus = colours(30)
    people = MadeUp([Habits(count=2, accuracy=0.5)], corpus, 3)
    for image in range(30):
        seen = people.chooses(1, image)
        assert people.chooses(1, image) == seen
        assert people.says_yes(1, image, seen)


def test_malice_is_what_its_name_says() -> None:
    corpus = colours(30)
    kinds = ("all-yes", "all-no", "colluder")
    people = MadeUp([Habits(kind=kind, accuracy=1.0) for kind in kinds], corpus, 0)
    assert people.says_yes(0, 0, 2)
    assert not people.says_yes(1, 0, 0)
    assert people.chooses(1, 0) == NONE
    assert [people.chooses(2, image) for image in range(3)] == [1, 2, 0]


def test_votes_are_read_from_a_compressed_file(tmp_path) -> None:
    path = tmp_path / "votes.csv.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("annotator,image_index,label\na,0,1\nb,0,2\na,2,0\n")
    assert read_votes(path, colours(3)) == [[1, 2], [], [0]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item,label\n", "no column 'annotator'"),
        ("annotator,image_index,label\na,9,0\n", "line 2: there is no picture 9"),
        ("annotator,image_index,label\na,0,7\n", "line 2: there is no class 7"),
        ("annotator,image_index,label\na,x,7\n", "line 2: two numbers"),
    ],
)
def test_votes_for_unknown_images_and_classes_are_named(tmp_path, text, said) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(SimulationError, match=said):
        read_votes(path, colours(3))


def test_a_corpus_that_cannot_be_played_is_named(tmp_path) -> None:
    path = written(colours(6), tmp_path / "six.npz")
    assert read_corpus(path).channels == 3
    with pytest.raises(SimulationError, match="class 'red' has 2 pictures"):
        read_corpus(path).seeds(5, np.random.default_rng(0))
    path.write_bytes(b"PK broken")
    with pytest.raises(SimulationError, match="no NPZ"):
        read_corpus(path)
    np.savez(tmp_path / "bare.npz", images=np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(SimulationError, match="no array 'classes'"):
        read_corpus(tmp_path / "bare.npz")


def test_a_level_is_reached_between_two_points_of_the_curve() -> None:
    def point(judgements: float, accuracy: float) -> Point:
        return Point(judgements, 0, judgements * 2, accuracy, None, 0, None, {}, 0, 0)

    at = reached([point(0, 0.8), point(1, 0.94), point(2, 0.96)], "judgements_per_image")
    assert at == {"0.90": pytest.approx(0.714), "0.95": 1.5, "0.99": None}
