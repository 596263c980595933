"""How right the demo's labels and network are, in words."""

from labelhub.projects.models import Image, Project
from labelhub.rounds.models import ModelVersion, Prediction
from labelhub.votes.models import Consensus

UNCERTAIN_SHOWN = 5


def labels_in_words(*, project: Project, key_of: dict[str, str]) -> str:
    """How many images are settled, and how often the consensus names what a picture shows.

    ``key_of`` gives the true class by content hash. Gold, which is right by definition, is left
    out.
    """
    rows = Consensus.objects.filter(
        project=project, image__status=Image.Status.ACTIVE, image__gold=None
    ).values_list("image__sha256", "label_class__key", "settled")
    right = [(key_of.get(sha256) == key, settled) for sha256, key, settled in rows.iterator()]
    among_settled = [was_right for was_right, settled in right if settled]
    return (
        f"settled {len(among_settled):,} of {len(right):,}, "
        f"labels right {_share([was_right for was_right, _ in right])} "
        f"(of the settled {_share(among_settled)})"
    )


def network_in_words(*, version: ModelVersion, on_fresh: float | None, fresh: int) -> str:
    """What the evaluation found, and how the network in service does on fresh pictures."""
    found = version.metrics.get("accuracy")
    words = f"accuracy {_percent(found)} on {version.metrics.get('measured_on', 'nothing')}"
    return f"{words}; in service: {_percent(on_fresh)} of {fresh:,} fresh pictures"


def most_uncertain(*, version: ModelVersion) -> str:
    """The images that a version is least sure of."""
    rows = Prediction.objects.filter(model_version=version).order_by("-entropy", "image_id")
    return ", ".join(
        f"{name} ({entropy:.2f})"
        for name, entropy in rows.values_list("image__name", "entropy")[:UNCERTAIN_SHOWN]
    )


def _share(right: list[bool]) -> str:
    return _percent(sum(right) / len(right)) if right else _percent(None)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
