"""Plays the product through its real services: import, grids, answers, Rounds, rankings.

The clock is the people's: so many are at work at once, each answers a sheet in the time it takes
and gets the next one with the answer. Rounds open by the project's own schedule and are worked off
at once, in this process. The truth is used for the seeds, the answers of made-up people, and
scores.
"""

import heapq
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from django.contrib.auth import get_user_model

from labelhub.annotators.models import Annotator
from labelhub.annotators.services import annotator_for
from labelhub.challenges.models import Challenge, Report, Tile
from labelhub.challenges.refusals import NothingToAsk, TooBusy
from labelhub.challenges.reporting import NOTHING_REPORTED, Reported
from labelhub.challenges.services import issue_challenge, submit_answer_and_issue
from labelhub.projects.models import Project
from labelhub.rounds.dispatch import TICK_SECONDS
from labelhub.rounds.models import RankingShard, Round
from labelhub.rounds.progress import count_progress
from labelhub.rounds.queueing import withdraw
from labelhub.rounds.services import TooFewLabels, open_due_rounds, open_round
from workers.ranking import rank_shard
from workers.simulate.people import NONE, People
from workers.simulate.scoring import Point, Scorer, Spent
from workers.training import train_round

BEGIN = datetime(2026, 1, 5, 8, tzinfo=UTC)
POINT_EVERY = 0.05  # judgements an image
SESSION_SHEETS = 12  # after so many, a person makes room for one who waits
LOOK_AGAIN = 30.0  # seconds, where nothing is left to ask
MOST_LOOKS = 4  # of everybody in turn, after which the play ends


@dataclass(frozen=True)
class Rules:
    """How long a play lasts and what it counts. One of the two budgets is set."""

    judgements_per_image: float | None
    human_seconds_per_image: float | None
    tile_seconds: float
    choice_seconds: float
    concurrent: int
    seed: int


@dataclass
class World:
    """A project ready to be played, and who is who in it."""

    project: Project
    people: People
    image_of: dict[int, int]  # Image id -> place in the corpus
    classes: list[int]  # LabelClass ids by place in the corpus
    none_class: int
    images: int  # in the corpus
    scorer: Scorer


@dataclass(order=True)
class Turn:
    """Something a person does at a moment: answers the sheet at hand, or looks for one."""

    at: float
    order: int
    person: int = field(compare=False)
    sheet: Challenge | None = field(compare=False, default=None)


class Play:
    """One run. ``on_progress`` hears the share of the budget that is spent."""

    def __init__(self, world: World, rules: Rules, on_progress: Callable[[float], None]) -> None:
        self._world, self._rules, self._on_progress = world, rules, on_progress
        self._dice = Random(rules.seed)  # noqa: S311  a play is repeated by its seed
        self._turns: list[Turn] = []
        self._waiting: list[int] = []
        self._annotators: dict[int, Annotator] = {}
        self._sheets: dict[int, int] = {}
        self._order = self._in_vain = self._choices = self._ticks = 0
        self._spent = Spent()
        self._started = time.perf_counter()
        self.points: list[Point] = []

    def run(self) -> list[Point]:
        """Play until the budget is spent or nothing is left to ask."""
        world = self._world
        first = min(self._rules.concurrent, world.people.count)
        self._waiting = list(range(first, world.people.count))
        for person in range(first):  # one after the other, as people come
            self._later(person / max(first, 1), person)
        self._teach_from_gold()
        self._score()
        while self._turns and not self._is_over():
            turn = heapq.heappop(self._turns)
            self._tick(turn.at)
            self._act(turn)
            self._on_progress(self._share_spent())
            if self._spent.judgements >= self._next_point():
                self._score()
        self._score()
        return self.points

    def _teach_from_gold(self) -> None:
        """The admin opens the first Round, as the demo does; from then on the schedule does."""
        with suppress(TooFewLabels):
            opened = open_round(
                project=self._world.project,
                trigger=Round.Trigger.PERSON,
                opened_by_id=None,
                now=BEGIN,
            )
            work_off(opened, BEGIN)

    def _is_over(self) -> bool:
        return self._share_spent() >= 1 or self._in_vain > MOST_LOOKS * self._world.people.count

    def _share_spent(self) -> float:
        rules, images = self._rules, self._world.images
        if rules.judgements_per_image is not None:
            return self._spent.judgements / images / rules.judgements_per_image
        return self._spent.human_seconds / images / (rules.human_seconds_per_image or 1.0)

    def _next_point(self) -> float:
        last = self.points[-1].judgements_per_image if self.points else 0.0
        return (last + POINT_EVERY) * self._world.images

    def _score(self) -> None:
        seconds = time.perf_counter() - self._started
        point = self._world.scorer.point(self._spent, choices=self._choices, seconds=seconds)
        if not self.points or point.judgements_per_image > self.points[-1].judgements_per_image:
            self.points.append(point)

    def _later(self, at: float, person: int, sheet: Challenge | None = None) -> None:
        self._order += 1
        heapq.heappush(self._turns, Turn(at, self._order, person, sheet))

    def _tick(self, seconds: float) -> None:
        """What the clock drives, as often and in the order it would have.

        Its sweeps and its tidying up have nothing to do: no message is lost in a play, and what
        they remove nobody reads.
        """
        while self._ticks * TICK_SECONDS <= seconds:
            now = _moment(self._ticks * TICK_SECONDS)
            self._ticks += 1
            count_progress(now=now)  # by which rare classes are asked about, and forms are weighed
            for opened in open_due_rounds(now=now):
                work_off(opened, now)

    def _act(self, turn: Turn) -> None:
        annotator, now = self._annotator(turn.person), _moment(turn.at)
        following = None if turn.sheet is None else self._answer(annotator, turn, now)
        if following is None:
            try:
                following = issue_challenge(annotator=annotator, now=now, generator=self._dice)
            except (NothingToAsk, TooBusy):
                self._in_vain += 1
                self._next_person(turn, LOOK_AGAIN)
                return
        self._in_vain = 0
        if self._waiting and self._sheets.get(turn.person, 0) >= SESSION_SHEETS:
            self._sheets[turn.person] = 0
            self._next_person(turn, 0.0)  # the sheet waits for the day this person comes back
            return
        self._later(turn.at + self._takes(turn.person, following), turn.person, following)

    def _next_person(self, turn: Turn, seconds: float) -> None:
        """Somebody who waits takes this person's place."""
        self._waiting.append(turn.person)
        self._later(turn.at + seconds, self._waiting.pop(0))

    def _takes(self, person: int, sheet: Challenge) -> float:
        """Seconds from now to the answer."""
        rules = self._rules
        is_choice = sheet.form == Challenge.Form.CHOICE
        usual = rules.choice_seconds if is_choice else rules.tile_seconds * sheet.places
        return usual * self._world.people.pace(person)

    def _answer(self, annotator: Annotator, turn: Turn, now: datetime) -> Challenge | None:
        """Answer a sheet; gives the next one, where it came along."""
        sheet = turn.sheet
        if sheet is None:
            raise ValueError("there is no sheet to answer")
        images = list(
            Tile.objects.filter(challenge=sheet).order_by("place").values_list("image", flat=True)
        )
        selected, left_out = self._said(turn.person, sheet, images)
        reported = Reported(tuple(left_out), Report.Reason.UNCLEAR) if left_out else None
        _, following = submit_answer_and_issue(
            annotator=annotator,
            public_id=sheet.public_id,
            selected=selected,
            reported=reported or NOTHING_REPORTED,
            now=now,
            generator=self._dice,
        )
        self._count(turn.person, sheet, len(selected), len(images) - len(left_out))
        people, world = self._world.people, self._world
        used_up = [image for image in images if people.is_used_up(world.image_of[image])]
        if used_up:
            withdraw(images=used_up)
        return following

    def _said(
        self, person: int, sheet: Challenge, images: list[int]
    ) -> tuple[list[int], list[int]]:
        """What is selected (places, or the one class), and the places that are left out."""
        world = self._world
        if sheet.form == Challenge.Form.CHOICE:
            label = world.people.chooses(person, world.image_of[images[0]])
            if label is None:
                return [], [0]
            return [world.none_class if label == NONE else world.classes[label]], []
        asked = world.classes.index(sheet.label_class_id or 0)
        said = [world.people.says_yes(person, world.image_of[image], asked) for image in images]
        return (
            [place for place, yes in enumerate(said) if yes],
            [place for place, yes in enumerate(said) if yes is None],
        )

    def _count(self, person: int, sheet: Challenge, clicks: int, judged: int) -> None:
        is_choice = sheet.form == Challenge.Form.CHOICE
        self._choices += is_choice
        self._sheets[person] = self._sheets.get(person, 0) + 1
        took = self._rules.choice_seconds if is_choice else self._rules.tile_seconds * sheet.places
        self._spent = Spent(
            judgements=self._spent.judgements + judged,
            clicks=self._spent.clicks + clicks,
            human_seconds=self._spent.human_seconds + took,
        )

    def _annotator(self, person: int) -> Annotator:
        """People come by an account, as an invited team does. Read anew: its grading changes."""
        user, _ = get_user_model().objects.get_or_create(username=f"person {person + 1}")
        return annotator_for(
            project_slug=self._world.project.slug, key=None, user_id=user.pk, now=BEGIN
        )


def _moment(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def work_off(opened: Round, now: datetime) -> None:
    """Do a Round's work and its ranking, as the workers would."""
    train_round(round_id=opened.pk, worker="simulate", clock=lambda: now)
    shards = RankingShard.objects.filter(
        model_version__project=opened.project, model_version__serving=True, finished_at=None
    )
    for shard in shards.order_by("number").values_list("pk", flat=True):
        rank_shard(shard_id=shard, clock=lambda: now)
