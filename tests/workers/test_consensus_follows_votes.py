"""After a play by many people with Rounds in between, all that is stored follows from the votes."""

import io
import json
from random import Random

import numpy as np
import pytest
from django.core.management import call_command

from labelhub.annotators.models import Annotator
from labelhub.challenges.models import Challenge
from labelhub.challenges.refusals import NothingToAsk
from labelhub.challenges.services import issue_challenge, submit_answer
from labelhub.projects.models import Project
from labelhub.rounds.models import Candidate, ModelVersion, Round
from labelhub.rounds.services import open_round
from labelhub.votes.models import Consensus, Vote
from labelhub.votes.services import refresh_consensus, retract_votes
from tests.factories import NOON, dice, true_key, visitor
from tests.pictured import striped_project
from tests.workers.untrained import clock
from workers import training
from workers.ranking import rank_shard

pytestmark = pytest.mark.django_db(transaction=True)
CAREFUL, CARELESS, AT_RANDOM = 0.03, 0.3, 0.5


def run_round(project: Project) -> Round:
    opened = open_round(project=project, trigger=Round.Trigger.PERSON, opened_by_id=None, now=NOON)
    assert training.train_round(round_id=opened.pk, worker="here", clock=clock)
    opened.refresh_from_db()
    for version in ModelVersion.objects.filter(round=opened, serving=True):
        for shard in version.ranking_shards.all():
            rank_shard(shard_id=shard.pk, clock=clock)
    return opened


def answers(project: Project, challenge: Challenge, errs: float, rng: Random) -> list[int]:
    """What somebody says who errs so often: squares of a grid, or the class of a choice."""
    classes = {row.key: row.pk for row in project.label_classes.all()}
    tiles = list(challenge.tiles.select_related("image").order_by("place"))
    if challenge.form == Challenge.Form.CHOICE:
        wrong = rng.random() < errs
        return [rng.choice(list(classes.values())) if wrong else classes[true_key(tiles[0].image)]]
    asked = challenge.label_class_id
    return [
        tile.place
        for tile in tiles
        if (classes[true_key(tile.image)] == asked) != (rng.random() < errs)
    ]


def play(people: dict[Annotator, float], sheets: int, seed: int, form: Candidate.Form) -> None:
    """Everybody answers so many sheets in turn, as long as something is left to answer."""
    Candidate.objects.filter(queue=Candidate.Queue.OPEN).update(form=form)
    for turn in range(sheets):
        for number, (annotator, errs) in enumerate(people.items()):
            luck = dice(1000 * seed + 100 * turn + number)
            try:
                sheet = issue_challenge(annotator=annotator, now=NOON, generator=luck)
            except NothingToAsk:
                continue
            said = answers(annotator.project, sheet, errs, luck)
            submit_answer(annotator=annotator, public_id=sheet.public_id, selected=said, now=NOON)


def checked() -> dict[str, float]:
    out = io.StringIO()
    call_command("recompute_consensus", "stripes", "--check", "--json", "-", stdout=out)
    return json.loads(out.getvalue())


def stored() -> dict[int, np.ndarray]:
    rows = Consensus.objects.values_list("image_id", "probabilities")
    return {image_id: np.frombuffer(p, dtype="<f8") for image_id, p in rows}


def test_a_play_of_grids_and_choices_with_rounds_in_between_is_what_the_votes_say() -> None:
    project = striped_project(images=60, asks_choices=True, holdout=True, training_steps=8)
    rates = (CAREFUL, CAREFUL, CARELESS, AT_RANDOM)
    people = {visitor(project): errs for errs in rates}
    for seed in range(2):
        play(people, 2, 10 * seed, Candidate.Form.GRID)
        play(people, 3, 10 * seed + 5, Candidate.Form.CHOICE)
        assert checked()["changed"] == 0
        run_round(project)
        assert checked()["changed"] == 0
    play(people, 2, 20, Candidate.Form.CHOICE)
    some = list(Vote.objects.order_by("pk")[::20])
    retract_votes(votes=some, reason="a slip", retracted_by_id=None, now=NOON)
    assert set(Vote.objects.values_list("kind", flat=True)) == {"yes_no", "choice"}
    assert Consensus.objects.filter(parameters__version__gte=2).count() == 60
    found = checked()
    assert (found["images"], found["changed"]) == (60, 0)
    assert found["max_difference"] <= 1e-9


def test_one_refresh_of_every_image_gives_what_single_answers_gave() -> None:
    project = striped_project(asks_choices=True, images=45)
    people = {visitor(project): errs for errs in (CAREFUL, CARELESS, AT_RANDOM)}
    play(people, 4, 3, Candidate.Form.GRID)
    play(people, 4, 4, Candidate.Form.CHOICE)
    online = stored()
    assert Consensus.objects.filter(humans__gte=2).exists()
    Consensus.objects.update(probabilities=b"", humans=0, confidence=0, entropy=0)
    refresh_consensus(images=list(online), now=NOON)
    for image_id, p in stored().items():
        assert p == pytest.approx(online[image_id], abs=1e-12)
