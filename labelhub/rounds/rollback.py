"""Takes a version out of service: another one serves instead, and ranks the images anew."""

from datetime import datetime

from django.db import transaction

from labelhub.projects.models import Project
from labelhub.projects.services import take_turn
from labelhub.rounds.model_files import file_trouble
from labelhub.rounds.models import ModelVersion, Round
from labelhub.rounds.selectors import serving_version, version_before
from labelhub.rounds.shards import hopeless_shard, start_ranking


def roll_back(
    *, project: Project, to_number: int | None, now: datetime
) -> tuple[ModelVersion, ModelVersion]:
    """Serve an earlier promoted version again: the one named, or what served before this one.

    A Round that still ranks with the version that goes is closed. Gives (from, to). Raises
    LookupError where there is none, or a file of it is lost or damaged.
    """
    with transaction.atomic():
        take_turn(project=project)
        serving = serving_version(project=project)
        if serving is None:
            raise LookupError(f"{project.name} has no model version in service")
        if to_number is None:
            target = version_before(serving=serving)
        else:
            target = ModelVersion.objects.filter(
                project=project, promoted_at__isnull=False, number=to_number
            ).first()
        if target is None or target == serving:
            wanted = "an earlier promoted version" if to_number is None else f"version {to_number}"
            raise LookupError(f"{project.name} cannot go back to {wanted}")
        if trouble := file_trouble(version=target):
            raise LookupError(
                f"{target} of {project.name} cannot serve again: {trouble}; bring it back from the "
                "backup, or name another version"
            )
        _serve_instead(serving=serving, target=target, now=now)
        for row in Round.objects.filter(model_version=serving, state=Round.State.RANKING):
            reason = f"{row.reason}; rolled back before it had ranked every picture"
            Round.objects.filter(pk=row.pk).update(
                state=Round.State.DONE, reason=reason, finished_at=now
            )
    return serving, target


def end_hopeless_rankings(*, now: datetime) -> list[Round]:
    """Close the Rounds whose version cannot rank the images; what served before serves again."""
    ended = []
    for version in ModelVersion.objects.filter(round__state=Round.State.RANKING):
        shard = hopeless_shard(model_version=version, now=now)
        if shard is not None:
            ended += _withdraw(version, shard.trouble or "its workers were lost", now)
    return ended


@transaction.atomic
def _withdraw(version: ModelVersion, trouble: str, now: datetime) -> list[Round]:
    """Take a version that cannot rank out of service for good; gives its Round, unless closed."""
    take_turn(project=version.project)
    ModelVersion.objects.select_for_update().get(pk=version.pk)  # before its Round, as shards do
    before = _whole_before(version)
    ranking = Round.objects.filter(pk=version.round_id, state=Round.State.RANKING)
    reason = (
        f"{version} could not rank the pictures and was withdrawn: {trouble}; "
        f"{before or 'no version'} serves now"
    )
    if not ranking.update(state=Round.State.FAILED, outcome="", reason=reason, finished_at=now):
        return []
    _serve_instead(serving=version, target=before, now=now)
    ModelVersion.objects.filter(pk=version.pk).update(promoted_at=None)
    return [version.round]


def _whole_before(version: ModelVersion) -> ModelVersion | None:
    """The last version before it whose files are whole, if there is one."""
    seen, before = {version.pk}, version_before(serving=version)
    while before is not None and file_trouble(version=before):
        seen.add(before.pk)
        before = version_before(serving=before)
        if before is not None and before.pk in seen:
            return None
    return before


def _serve_instead(*, serving: ModelVersion, target: ModelVersion | None, now: datetime) -> None:
    """Let another version serve, or none, and rank the images by it anew."""
    ModelVersion.objects.filter(pk=serving.pk).update(serving=False)
    if target is not None:
        ModelVersion.objects.filter(pk=target.pk).update(serving=True, promoted_at=now)
        spans = serving.ranking_shards.order_by("number").values_list("first_image", "last_image")
        start_ranking(model_version=target, shards=list(spans), now=now)
