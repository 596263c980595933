"""The commands of the loop: what they promise on the screen, as JSON, and by their exit code."""

import io
import json
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from classifier.train import NonFiniteLoss
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from labelhub.rounds.models import Candidate, ModelVersion, Prediction, RankingShard, Round
from labelhub.rounds.services import claim_round
from labelhub.votes.models import Consensus
from labelhub.votes.services import NewVote, record_votes
from tests.factories import NOON, visitor
from tests.workers.coloured import coloured_project
from workers import following, teaching
from workers.gate import soundness

# Real commits: the lease is kept from a thread, and messages leave after the commit.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return coloured_project()


def result_of(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command(*arguments, "--json", "-", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


# --- run_round ----------------------------------------------------------------------------------


def test_a_round_that_no_worker_takes_is_done_in_the_command_itself(project: Project) -> None:
    result = result_of("run_round", "colours", "--wait")
    assert list(result) == ["round", "model_version", "promoted", "reason", "metrics", "seconds"]
    assert result["round"] == result["model_version"] == 1
    assert result["promoted"] is True
    assert "Gold" in result["reason"]
    assert list(result["metrics"]) == ["accuracy", "nll", "ece", "per_class"]
    assert result["metrics"]["accuracy"] > 0.6
    assert set(result["metrics"]["per_class"]) == {"red", "green", "none-of-these"}
    assert list(result["seconds"]) == ["snapshot", "train", "evaluate", "rank"]
    assert all(seconds >= 0 for seconds in result["seconds"].values())
    assert Round.objects.get().state == Round.State.DONE
    assert Prediction.objects.count() == project.images.count()


def test_the_command_says_that_no_worker_listens(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY", 0.01)  # so short a training would go unseen
    call_command("run_round", "colours", "--wait")
    told = capsys.readouterr()
    assert "No worker is listening" in told.err
    assert "Round 1: training" in told.err
    assert "Round 1: promoted" in told.out


def test_without_wait_the_round_is_left_open_for_a_worker(project: Project) -> None:
    result = result_of("run_round", "colours")
    assert result["round"] == 1
    assert result["model_version"] is None
    assert result["metrics"]["accuracy"] is None
    assert Round.objects.get().state == Round.State.QUEUED


def test_a_refused_round_is_no_failure_of_the_command(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundness, "ABOVE_CHANCE", 10.0)
    result = result_of("run_round", "colours", "--wait")
    assert result["promoted"] is False
    assert "guessing" in result["reason"]
    assert result["seconds"]["rank"] is None
    assert not ModelVersion.objects.filter(serving=True).exists()


def test_a_round_whose_training_breaks_fails_the_command_with_the_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: Any) -> None:
        raise NonFiniteLoss("the loss is not a number at step 3")

    monkeypatch.setattr(teaching, "trained", broken)
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"Round 1 of colours failed: the loss is not a number"):
        call_command("run_round", "colours", "--wait", "--json", "-", stdout=out)
    assert json.loads(out.getvalue())["model_version"] is None
    assert Round.objects.get().state == Round.State.FAILED


def test_an_unknown_project_is_named_with_those_there_are(project: Project) -> None:
    for command in ("run_round", "rank", "rollback", "recompute_consensus"):
        with pytest.raises(CommandError, match=r"no project 'colors'; there are: colours"):
            call_command(command, "colors")


def test_a_project_with_too_few_labels_opens_no_round() -> None:
    coloured_project(gold_per_class=2)
    with pytest.raises(CommandError, match=r"4 images of Colours .* at least 10"):
        call_command("run_round", "colours")
    assert not Round.objects.exists()


def test_a_second_round_is_refused_while_one_is_under_way(project: Project) -> None:
    call_command("run_round", "colours", stdout=io.StringIO())
    with pytest.raises(CommandError, match="has a Round under way"):
        call_command("run_round", "colours")


def test_a_round_that_another_worker_holds_is_left_to_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_finishes(_: float) -> None:
        Round.objects.update(
            state=Round.State.DONE,
            outcome=Round.Outcome.REFUSED,
            reason="by a worker",
            finished_at=NOON,
        )

    def claimed_at_once(**arguments: Any) -> Round:
        row = Round.objects.create(project=project, number=1)
        assert claim_round(round_id=row.pk, worker="one", now=arguments["now"])
        return row

    monkeypatch.setattr("workers.management.commands.run_round.open_round", claimed_at_once)
    monkeypatch.setattr("workers.management.commands.run_round.time.sleep", one_finishes)
    result = result_of("run_round", "colours", "--wait")
    assert result["reason"] == "by a worker"
    assert Round.objects.get().fence == 1


# --- rank, rollback -----------------------------------------------------------------------------


def test_rank_ranks_every_image_and_names_the_most_uncertain_first(project: Project) -> None:
    result_of("run_round", "colours", "--wait")
    Prediction.objects.all().delete()
    result = result_of("rank", "colours", "--top", "3")
    assert list(result) == ["images", "seconds", "images_per_second", "top"]
    assert result["images"] == project.images.count() == Prediction.objects.count()
    assert result["images_per_second"] > 0
    entropies = [row["entropy"] for row in result["top"]]
    assert len(entropies) == 3
    assert entropies == sorted(entropies, reverse=True)
    assert Prediction.objects.order_by("-entropy").first().image_id == result["top"][0]["image"]


def test_rank_without_a_version_in_service_says_what_to_do(project: Project) -> None:
    with pytest.raises(CommandError, match=r"no model version in service; 'run_round colours"):
        call_command("rank", "colours")


def test_rollback_serves_the_version_before_and_ranks_by_it(project: Project) -> None:
    result_of("run_round", "colours", "--wait")
    result_of("run_round", "colours", "--wait")
    Prediction.objects.all().delete()
    assert result_of("rollback", "colours") == {"from": 2, "to": 1}
    assert ModelVersion.objects.get(serving=True).number == 1
    assert not RankingShard.objects.filter(finished_at=None).exists()
    assert Prediction.objects.filter(model_version__number=1).count() == project.images.count()
    assert set(Consensus.objects.values_list("model_version", flat=True)) == {1}
    assert result_of("rollback", "colours", "2") == {"from": 1, "to": 2}


def test_rollback_to_a_version_whose_file_is_gone_says_so(project: Project) -> None:
    result_of("run_round", "colours", "--wait")
    result_of("run_round", "colours", "--wait")
    first = ModelVersion.objects.get(number=1)
    (model_folder(project) / f"{first.sha256}.safetensors").unlink()
    with pytest.raises(CommandError, match=r"version 1 of Colours cannot serve again: its file"):
        call_command("rollback", "colours", stdout=io.StringIO(), stderr=io.StringIO())
    assert ModelVersion.objects.get(serving=True).number == 2


def test_rollback_without_an_earlier_version_changes_nothing(project: Project) -> None:
    with pytest.raises(CommandError, match="no model version in service"):
        call_command("rollback", "colours")
    result_of("run_round", "colours", "--wait")
    with pytest.raises(CommandError, match="cannot go back to an earlier promoted version"):
        call_command("rollback", "colours")
    with pytest.raises(CommandError, match="cannot go back to version 9"):
        call_command("rollback", "colours", "9")
    assert ModelVersion.objects.get(serving=True).number == 1


# --- recompute_consensus ------------------------------------------------------------------------


@pytest.fixture
def voted(project: Project) -> Project:
    """Careful Ada and Ben have voted on every open image."""
    red = project.label_classes.get(key="red")
    images = list(project.images.filter(gold=None).order_by("pk"))
    for _ in range(2):
        votes = [NewVote(image.pk, red.pk, number % 2 == 0) for number, image in enumerate(images)]
        record_votes(
            project=project, annotator=visitor(project), votes=votes, challenge="c", now=NOON
        )
    return project


def test_a_consensus_that_follows_from_its_votes_passes_the_check(voted: Project) -> None:
    result = result_of("recompute_consensus", "colours", "--check")
    assert list(result) == ["images", "changed", "max_difference", "seconds"]
    assert result["images"] == voted.images.count()
    assert result["changed"] == 0
    assert result["max_difference"] <= 1e-6


def test_a_consensus_that_was_tampered_with_fails_the_check_and_is_corrected(
    voted: Project,
) -> None:
    row = Consensus.objects.filter(humans=2).first()
    right = bytes(row.probabilities)
    wrong = np.roll(np.frombuffer(right, dtype="<f8"), 1).tobytes()
    Consensus.objects.filter(pk=row.pk).update(probabilities=wrong)
    Candidate.objects.filter(image=row.image_id).update(priority=99.0)
    with pytest.raises(CommandError, match="1 of 24 images differ"):
        call_command("recompute_consensus", "colours", "--check")
    assert bytes(Consensus.objects.get(pk=row.pk).probabilities) == wrong
    assert result_of("recompute_consensus", "colours")["changed"] == 1
    assert bytes(Consensus.objects.get(pk=row.pk).probabilities) == right
    assert Candidate.objects.get(image=row.image_id).priority < 2
    assert result_of("recompute_consensus", "colours", "--check")["changed"] == 0


def test_a_miscounted_or_unreadable_consensus_is_found(voted: Project) -> None:
    rows = list(Consensus.objects.filter(humans=2)[:4])
    Consensus.objects.filter(pk=rows[0].pk).update(humans=7)
    Consensus.objects.filter(pk=rows[1].pk).update(probabilities=b"\xff" * 24)
    Consensus.objects.filter(pk=rows[2].pk).update(
        label_class=voted.label_classes.get(is_none=True)
    )
    Consensus.objects.filter(pk=rows[3].pk).update(settled=not rows[3].settled)
    result = result_of("recompute_consensus", "colours")
    assert result["changed"] == 4
    assert result["max_difference"] == 5
    assert result_of("recompute_consensus", "colours", "--check")["changed"] == 0
