"""The Round under way, or the last one, as a panel that refreshes itself."""

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from labelhub.dashboard.wording import Moment, ago, duration, number, percent
from labelhub.projects.models import Project
from labelhub.rounds.models import Round

RUNNING_SECONDS, IDLE_SECONDS = 2, 15
STAGES = (
    Round.State.SNAPSHOT,
    Round.State.TRAINING,
    Round.State.EVALUATING,
    Round.State.RANKING,
)


@dataclass(frozen=True)
class Stage:
    """One stage of a Round: how full its bar is, and whether it is the present one."""

    key: str
    name: str
    width: str  # of its bar, as SVG wants it: "41.5%"
    now: bool


@dataclass(frozen=True)
class RoundPanel:
    """A Round as people follow it. ``stamp`` changes whenever it opens, moves or closes."""

    question: str
    title: str
    words: str
    tone: str  # "", "good" or "warn"
    running: bool
    stages: tuple[Stage, ...]
    percent: int  # of the present stage
    facts: tuple[tuple[str, str], ...]
    when: Moment | None
    stamp: str
    page_url: str
    url: str
    seconds: int  # until it is asked for again


def round_panel(*, project: Project, latest: Round | None, now: datetime) -> RoundPanel:
    """The panel of a project's latest Round."""
    if latest is None:
        return _none_yet(project)
    return _running(project, latest, now) if latest.is_open else _closed(project, latest, now)


def stamp_of(latest: Round | None) -> str:
    """What changes when a Round opens, moves to another stage or closes."""
    return f"{latest.number}-{latest.state}" if latest else "none"


def _url(project: Project, latest: Round | None) -> str:
    address = reverse("dashboard:round", args=[project.slug])
    return f"{address}?seen={stamp_of(latest)}"


def _none_yet(project: Project) -> RoundPanel:
    return RoundPanel(
        question=_("What does a Round do?"),
        title=_("No Round yet"),
        words=_("A Round learns from the labels so far and says which pictures are in doubt."),
        tone="",
        running=False,
        stages=(),
        percent=0,
        facts=(),
        when=None,
        stamp=stamp_of(None),
        page_url=reverse("dashboard:cockpit", args=[project.slug]),
        url=_url(project, None),
        seconds=IDLE_SECONDS,
    )


def _running(project: Project, latest: Round, now: datetime) -> RoundPanel:
    fraction = min(max(float(latest.progress.get("fraction", 0.0)), 0.0), 1.0)
    return RoundPanel(
        question=_("What is running?"),
        title=_("Round %(number)s is running") % {"number": number(latest.number)},
        words=stage_words(latest),
        tone="",
        running=True,
        stages=_stages(latest, fraction),
        percent=round(100 * fraction),
        facts=_facts(latest),
        when=ago(latest.opened_at, now),
        stamp=stamp_of(latest),
        page_url=reverse("dashboard:cockpit", args=[project.slug]),
        url=_url(project, latest),
        seconds=RUNNING_SECONDS,
    )


def stage_words(latest: Round) -> str:
    """The present stage in words; in training also which network."""
    if latest.state == Round.State.QUEUED:
        return _("It waits for a training worker.")
    words = {
        Round.State.SNAPSHOT: _("It takes a snapshot of the labels."),
        Round.State.TRAINING: _("It trains."),
        Round.State.EVALUATING: _("It measures the new network beside the one in service."),
        Round.State.RANKING: _("The new network serves; it looks at every picture."),
    }[Round.State(latest.state)]
    stage = str(latest.progress.get("stage", ""))
    if latest.state == Round.State.TRAINING and stage.startswith("training network"):
        which, _of, total = stage.removeprefix("training network ").partition(" of ")
        return _("It trains network %(which)s of %(total)s.") % {"which": which, "total": total}
    return words


def _stages(latest: Round, fraction: float) -> tuple[Stage, ...]:
    """Full bars for what is over, the fraction for what is under way, empty ones for the rest."""
    names = (_("snapshot"), _("training"), _("evaluating"), _("ranking"))
    present = STAGES.index(Round.State(latest.state)) if latest.state in STAGES else -1
    return tuple(
        Stage(
            key=state.value,
            name=name,
            width=f"{100 if place < present else 100 * fraction if place == present else 0:.1f}%",
            now=place == present,
        )
        for place, (state, name) in enumerate(zip(STAGES, names, strict=True))
    )


def _facts(latest: Round) -> tuple[tuple[str, str], ...]:
    """What a stage says of itself, as (word, value)."""
    facts = []
    progress, snapshot = latest.progress, latest.snapshot
    if "fraction" in progress and latest.state in (Round.State.TRAINING, Round.State.RANKING):
        facts.append((_("of this stage"), percent(float(progress["fraction"]))))
    if "seconds_left" in progress:
        facts.append((_("left to train"), duration(float(progress["seconds_left"]))))
    if "loss" in progress:
        facts.append((_("loss"), f"{float(progress['loss']):.3f}"))
    if "trainable" in snapshot:
        facts.append((_("pictures learned from"), number(int(snapshot["trainable"]))))
    return tuple(facts)


def _closed(project: Project, latest: Round, now: datetime) -> RoundPanel:
    title, tone = {
        Round.Outcome.PROMOTED.value: (_("Round %(number)s was promoted"), "good"),
        Round.Outcome.REFUSED.value: (_("Round %(number)s was refused"), "warn"),
    }.get(latest.outcome, (_("Round %(number)s failed"), "warn"))
    took = sum(float(seconds) for seconds in latest.seconds.values())
    facts = [(_("took"), duration(took))] if took else []
    if "trainable" in latest.snapshot:
        learned = number(int(latest.snapshot["trainable"]))
        facts.append((_("pictures learned from"), learned))
    return RoundPanel(
        question=_("What did the last Round do?"),
        title=title % {"number": number(latest.number)},
        words=sentence(latest.reason),
        tone=tone,
        running=False,
        stages=(),
        percent=100,
        facts=tuple(facts),
        when=ago(latest.finished_at, now) if latest.finished_at else None,
        stamp=stamp_of(latest),
        page_url=reverse("dashboard:cockpit", args=[project.slug]),
        url=_url(project, latest),
        seconds=IDLE_SECONDS,
    )


def sentence(words: str) -> str:
    """A reason as a sentence of its own."""
    words = words.strip()
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""
