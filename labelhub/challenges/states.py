"""Why there is no question on the page: what happened, what was kept, what to do next."""

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from labelhub.challenges.refusals import (
    AnnotatorPaused,
    BadAnswer,
    ChallengeExpired,
    ChallengeNotFound,
    ChallengeSpent,
    NothingToAsk,
    ProjectPaused,
    TooBusy,
)

Words = str | Promise
REFUSALS = (
    AnnotatorPaused,
    BadAnswer,
    ChallengeExpired,
    ChallengeNotFound,
    ChallengeSpent,
    NothingToAsk,
    ProjectPaused,
    TooBusy,
)


@dataclass(frozen=True)
class State:
    """A designed place without a question; ``again`` is the button that asks for the next one."""

    key: str
    status: int
    title: Words
    text: Words
    again: Words = ""


_NEXT = _("Next question")
_STATES: dict[type[Exception], State] = {
    NothingToAsk: State("done", 200, _("Nothing to ask at the moment"), "", _("Look again")),
    ProjectPaused: State(
        "paused",
        403,
        _("This project is paused"),
        _("Its admin has stopped it for now. Everything you answered is kept."),
    ),
    AnnotatorPaused: State(
        "annotator-paused",
        403,
        _("Your answers are paused"),
        _("The project's admin has paused this visit. Earlier answers are kept; ask the admin."),
    ),
    ChallengeExpired: State(
        "expired",
        410,
        _("This question's time is over"),
        _("It waited too long, and its pictures went to someone else. Earlier answers are kept."),
        _NEXT,
    ),
    ChallengeSpent: State(
        "spent",
        409,
        _("This question was closed before"),
        _("It was skipped, or answered differently, perhaps in another tab. That one stands."),
        _NEXT,
    ),
    ChallengeNotFound: State(
        "not-found",
        404,
        _("This question is not here"),
        _("It belongs to another visit, or your browser keeps no cookies. Nothing was stored."),
        _("Start anew"),
    ),
    TooBusy: State(
        "busy",
        503,
        _("Too much at once"),
        _("Others are getting the same pictures right now. Nothing was lost; please try again."),
        _NEXT,
    ),
    BadAnswer: State(
        "bad-answer",
        400,
        _("This answer could not be read"),
        _("It names something that the question does not have. Nothing was stored."),
        _NEXT,
    ),
}
ANSWERED = State(
    "answered", 200, _("This question is answered"), _("Your answer is kept. Thank you."), _NEXT
)


def state_of(refusal: Exception) -> State:
    """The state that a refusal is shown as. One without words of its own says the refusal's."""
    state = _STATES[type(refusal)]
    if state.text:
        return state
    return State(state.key, state.status, state.title, str(refusal), state.again)


def state_context(state: State, *, project_slug: str, word: str = "") -> dict[str, object]:
    """What the template of a state receives; ``word`` is said about an answer just taken."""
    return {
        "state": state,
        "word": word,
        "again_url": reverse("issue", args=[project_slug]) if state.again else "",
        "back_url": reverse("project", args=[project_slug]),
    }
