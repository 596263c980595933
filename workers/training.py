"""One Round, from the label snapshot to a version that serves or is refused.

Read ``run`` from top to bottom: it is the whole story. A worker that is killed at any point costs
a restart of the same Round, which goes on from the files that are complete.
"""

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import numpy as np
from django.db import InterfaceError, OperationalError, connection
from numpy.typing import NDArray
from torch import nn

from classifier.calibration import fit_temperature
from classifier.predict import logits, probabilities
from classifier.train import NonFiniteLoss
from labelhub.projects.models import LabelClass
from labelhub.rounds import services
from labelhub.rounds.models import Round
from labelhub.votes.parameters import AnnotatorModel, first_parameters
from workers.answer_times import measured_costs
from workers.comparison import compare
from workers.configs import pretrained_file, train_config
from workers.datasets import Pictures, fill_shards
from workers.evaluating import Evaluated, metrics
from workers.lease import LeaseKeeper
from workers.lessons import FEATURE_RECIPES, Choice, Networks, Task, fold_networks, network_path
from workers.networks import networks_in_service, publish
from workers.opinions import opinions
from workers.outdated import clear_features
from workers.places import round_folder
from workers.promotion import decide
from workers.ranking import shard_spans
from workers.recount import recount
from workers.snapshot import NotEnoughToLearn, Snapshot, take_snapshot
from workers.taught import mistaught
from workers.teaching import teach

logger = logging.getLogger(__name__)
Clock = Callable[[], datetime]


@dataclass
class Work:
    """What the stages of one Round share."""

    row: Round
    model: AnnotatorModel
    claim: services.Claim
    lease: LeaseKeeper
    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, state: Round.State, name: str, **fields: object) -> Iterator[None]:
        """Enter a stage of the Round and time it."""
        services.enter_stage(claim=self.claim, state=state, now=self.clock(), **fields)
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)


def train_round(*, round_id: int, worker: str, clock: Clock) -> bool:
    """Do the work of a Round; False when it is closed or another worker holds it."""
    claim = services.claim_round(round_id=round_id, worker=worker, now=clock())
    if claim is None:
        return False
    row = Round.objects.select_related("project").get(pk=round_id)
    logger.info("Round %s of %s: claimed, try %s", row.number, row.project.slug, claim.fence)
    try:
        _run_or_fail(row, claim, clock)
    except services.LeaseLost as error:
        logger.warning("%s; stopped", error)  # the files are the other worker's now
    else:
        shutil.rmtree(round_folder(row), ignore_errors=True)
    return True


def _run_or_fail(row: Round, claim: services.Claim, clock: Clock) -> None:
    """Run the stages; a Round that cannot go on is closed with the reason. Raises LeaseLost."""
    try:
        with LeaseKeeper(partial(services.keep_lease, claim=claim), clock) as lease:
            model = first_parameters(project=row.project, now=clock())
            run(Work(row, model, claim, lease, clock))
    except services.LeaseLost:
        raise
    except (OperationalError, InterfaceError):
        raise  # the database is busy or down: the lease runs out, the sweeper starts this again
    except (NotEnoughToLearn, NonFiniteLoss, ValueError) as error:
        services.fail_round(claim=claim, reason=str(error), now=clock())
    except Exception as error:
        services.fail_round(claim=claim, reason=f"unexpected: {error!r}", now=clock())
        raise


def run(work: Work) -> None:
    """The stages of a Round in their order."""
    with work.stage(Round.State.SNAPSHOT, "snapshot"):
        pictures = fill_shards(project=work.row.project)
        snapshot = _snapshot(work).only(pictures.ids)
        snapshot.check(networks=fold_networks(work.row.project.recipe))
    with work.stage(
        Round.State.TRAINING,
        "train",
        last_vote=snapshot.last_vote,
        snapshot=snapshot.counts(),
    ):
        networks = _train(work, snapshot, pictures)
    with work.stage(Round.State.EVALUATING, "evaluate"):
        evaluated = _evaluate(work, snapshot, pictures, networks)
    _publish(work, snapshot, networks, evaluated)
    clear_features(project=work.row.project, pictures=pictures)


def _snapshot(work: Work) -> Snapshot:
    """The snapshot of this Round: the one taken before an interruption, or a new one."""
    path = round_folder(work.row) / "snapshot.npz"
    if work.row.snapshot_sha256:
        try:
            return Snapshot.load(path, expected_sha256=work.row.snapshot_sha256)
        except (OSError, ValueError) as error:
            logger.warning("the snapshot is taken again: %s", error)
    read = take_snapshot(project=work.row.project, model=work.model)
    held_out = services.close_holdout(
        claim=work.claim, last_image=read.last_image, now=work.clock()
    )
    snapshot = read.without(held_out)
    work.row.snapshot_sha256 = snapshot.save(path)
    services.enter_stage(
        claim=work.claim,
        state=Round.State.SNAPSHOT,
        now=work.clock(),
        snapshot_sha256=work.row.snapshot_sha256,
    )
    return snapshot


def _train(work: Work, snapshot: Snapshot, pictures: Pictures) -> Networks:
    """The fold networks and the one to serve, by the project's recipe."""
    project = work.row.project
    classes = dict(LabelClass.objects.filter(project=project).values_list("pk", "key"))
    config = train_config(
        project=project,
        classes=work.model.classes,
        seed=work.row.number,
    )
    task = Task(
        config=config,
        snapshot=snapshot,
        pictures=pictures,
        folder=round_folder(work.row),
        card={
            "classes": [classes[pk] for pk in work.model.label_classes],
            "project": project.slug,
            "round": work.row.number,
            "snapshot": work.row.snapshot_sha256,
        },
        shown=partial(_show, work),
        in_service=_to_go_on_from(work),
        pretrained=pretrained_file(project),
        tried=_tried(work),
    )
    return teach(task, recipe=project.recipe)


def _to_go_on_from(work: Work) -> list[nn.Module]:
    """The networks in service, where the recipe makes use of them."""
    project, classes = work.row.project, work.model.label_classes
    if project.recipe not in FEATURE_RECIPES:
        return []
    return networks_in_service(project=project, label_classes=classes)


def _tried(work: Work) -> Choice | None:
    """What ``auto`` chose from for the newest version, or for one that it goes back to."""
    newest = work.row.project.model_versions.order_by("-number").first()
    told = newest.metrics.get("choice") if newest else None
    return Choice(**told) if told else None


def _show(work: Work, progress: dict[str, object]) -> None:
    """Show the progress of the training in the Round's row. Raises LeaseLost."""
    work.lease.check()
    try:
        services.report_progress(claim=work.claim, progress=progress, now=work.clock())
    except (OperationalError, InterfaceError) as error:
        # Busy or down: what is shown is not worth a training, and the lease has its own thread.
        logger.warning("Round %s: its progress is not shown: %s", work.row.number, error)
        connection.close_if_unusable_or_obsolete()


def _evaluate(work: Work, snapshot: Snapshot, pictures: Pictures, networks: Networks) -> Evaluated:
    """Calibrate the networks, and ask them all that the gate wants to know."""
    project = work.row.project
    temperature = _temperature(snapshot, pictures, networks)
    served = _predictor(pictures, networks.served.network, temperature)
    by_fold = [_predictor(pictures, fold.network, temperature) for fold in networks.folds]
    return Evaluated(
        temperature=temperature,
        comparison=compare(project=project, snapshot=snapshot, served=served, by_fold=by_fold),
        opinions=opinions(project=project, snapshot=snapshot, served=served, by_fold=by_fold),
        recount=recount(snapshot=snapshot, model=work.model, opened_at=work.row.opened_at),
        mistaught=mistaught(_kept_snapshot(work).only(pictures.ids), networks),
    )


def _kept_snapshot(work: Work) -> Snapshot:
    """The snapshot of this Round as its file has it. Raises ValueError where that is damaged."""
    path = round_folder(work.row) / "snapshot.npz"
    try:
        return Snapshot.load(path, expected_sha256=work.row.snapshot_sha256)
    except OSError as error:
        raise ValueError(f"the snapshot cannot be read again: {error}") from error


def _temperature(snapshot: Snapshot, pictures: Pictures, networks: Networks) -> float:
    """One temperature, fitted on what each fold network says of images it did not see. Raises
    ValueError naming a network that says no numbers."""
    use = snapshot.trainable
    z = np.zeros_like(snapshot.targets, dtype=np.float32)  # (n, K)
    for fold, model in enumerate(networks.folds):
        chosen = use & (snapshot.folds % len(networks.folds) == fold)
        if chosen.any():
            seen = pictures.seen_by(model.network, snapshot.images[chosen])
            z[chosen] = logits(model.network, seen)
            if not np.isfinite(z[chosen]).all():
                raise ValueError(f"the probabilities of fold network {fold + 1} are not numbers")
    return fit_temperature(z[use], snapshot.targets[use], snapshot.weights[use])


def _predictor(
    pictures: Pictures, network: nn.Module, temperature: float
) -> Callable[[NDArray[np.int64]], NDArray[np.float32]]:
    """Image ids (n,) to calibrated probabilities (n, K)."""

    def predict(images: NDArray[np.int64]) -> NDArray[np.float32]:
        return probabilities(logits(network, pictures.seen_by(network, images)), temperature)

    return predict


def _publish(work: Work, snapshot: Snapshot, networks: Networks, evaluated: Evaluated) -> None:
    """Ask the gate, put the files in place, and write the version with its verdict."""
    project, comparison = work.row.project, evaluated.comparison
    verdict = decide(
        new=comparison.new,
        old=comparison.old,
        labels=comparison.labels,
        measured_on=comparison.measured_on,
        served=comparison.served,
        fewest=comparison.fewest,
        opinions=evaluated.opinions,
        recount=evaluated.recount,
        mistaught=evaluated.mistaught,
        classes=_names(work),
    )
    for number, model in enumerate([*networks.folds, networks.served]):
        path = network_path(networks.folder, number)
        publish(project=project, model=model, path=path)
    services.publish_model_version(
        claim=work.claim,
        version=services.NewModelVersion(
            recipe=networks.served.config.recipe,
            config=networks.served.config.to_dict(),
            label_classes=work.model.label_classes,
            sha256=networks.served.sha256,
            fold_sha256=[model.sha256 for model in networks.folds],
            temperature=evaluated.temperature,
            metrics=metrics(evaluated, snapshot=snapshot, verdict=verdict, choice=networks.choice),
            provisional=comparison.provisional,
            crowd=snapshot.crowd,
            costs=measured_costs(project=project),
        ),
        promote=verdict.promote,
        reason=verdict.reason,
        labels_hold=verdict.labels_hold,
        seconds=work.seconds,
        shards=shard_spans(project=project),
        now=work.clock(),
    )
    logger.info("Round %s: %s", work.row.number, verdict.reason)


def _names(work: Work) -> list[str]:
    """Of the classes, in the order of every vector."""
    names = dict(LabelClass.objects.filter(project=work.row.project).values_list("pk", "name"))
    return [names[pk] for pk in work.model.label_classes]
