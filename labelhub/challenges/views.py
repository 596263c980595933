"""The doors of grids and choices: read the request, one call, write the response.

Two kinds of browser come here. Without JavaScript every reply is a page, or a redirect to one. The
script sends ``X-Requested-With: fetch`` and gets the grid as a fragment, and the answer's reply as
JSON with the next grid's fragment in it: one request a grid. A GET never writes.
"""

import logging
from collections.abc import Callable
from functools import wraps
from random import Random, SystemRandom
from typing import Any, TypeVar, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from labelhub.annotators.identity import annotator_in, is_known_in, key_in, remember
from labelhub.annotators.models import Annotator
from labelhub.annotators.services import ProjectNotFound
from labelhub.challenges.answering import Reply
from labelhub.challenges.forms import reported, selected
from labelhub.challenges.models import Challenge
from labelhub.challenges.pages import edge_of, question_markup, question_page, word_after
from labelhub.challenges.refusals import ChallengeExpired, ChallengeNotFound, ChallengeSpent
from labelhub.challenges.selectors import shown_challenge, tile_pictures
from labelhub.challenges.services import (
    issue_challenge,
    skip_challenge,
    submit_answer,
    submit_answer_and_issue,
)
from labelhub.challenges.states import ANSWERED, REFUSALS, State, state_context, state_of
from labelhub.projects.sheets import sheet as sheet_of
from labelhub.unavailable import UNAVAILABLE

SHEET_SECONDS = 3600  # private: the page shows one picture nine times, and the script fetches ahead
View = TypeVar("View", bound=Callable[..., HttpResponse])
logger = logging.getLogger(__name__)
_system = SystemRandom()


class SeeOther(HttpResponseRedirect):
    """The reply to a POST whose outcome is a page of its own."""

    status_code = 303


def explained(view: View) -> View:
    """Refusals of the services become the reply code and the words that belong to them."""

    @wraps(view)
    def wrapped(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, slug, **kwargs)
        except ProjectNotFound as error:
            raise Http404(str(error)) from error
        except REFUSALS as refusal:
            return _state_reply(request, slug, state_of(refusal))

    return cast("View", wrapped)


@require_POST
@never_cache
@explained
def issue(request: HttpRequest, slug: str) -> HttpResponse:
    """The next grid; ``keep`` names the one on the screen, which is not the next."""
    annotator = annotator_in(request, project_slug=slug, now=timezone.now())
    response = _next_grid(request, annotator, keep=request.POST.get("keep"))
    remember(request, response, annotator=annotator, project_slug=slug)
    return response


@require_safe
@never_cache
@explained
def grid(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    """The page of an issued grid or choice; ``after`` names the one answered just before."""
    key = key_in(request, project_slug=slug)
    challenge = shown_challenge(annotator_key=key, project_slug=slug, public_id=public_id)
    if challenge.state == Challenge.State.ANSWERED:
        return _state_reply(request, slug, ANSWERED, word=word_after(challenge.reply))
    if challenge.state != Challenge.State.OPEN:
        raise ChallengeSpent
    if challenge.expires_at <= timezone.now():
        raise ChallengeExpired
    context = {
        "question": question_page(
            project=challenge.project, challenge=challenge, csrf_token=get_token(request)
        ),
        "word": _word_about(key, slug, request.GET.get("after")),
    }
    return render(request, "challenges/question.html", context)


@require_safe
def sheet(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    """All tiles of the annotator's own grid as one picture."""
    key = key_in(request, project_slug=slug)
    pictures = key and tile_pictures(annotator_key=key, project_slug=slug, public_id=public_id)
    if not pictures:
        raise Http404
    try:
        data, content_type = sheet_of(pictures, columns=edge_of(len(pictures)))
    except OSError as error:  # PictureMissing, or a file that cannot be decoded any more
        logger.exception("grid %s cannot be shown", public_id)
        raise Http404 from error
    headers = {"Cache-Control": f"private, max-age={SHEET_SECONDS}, immutable"}
    return HttpResponse(data, content_type=content_type, headers=headers)


@require_POST
@never_cache
@explained
def answer(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    """Take what is selected and reported in a grid, or chosen. The same again gets the same reply.

    A script that sends ``keep``, be it empty, gets the next grid along. What was taken is told also
    when the database fails after it.
    """
    annotator = _returning(request, slug)
    with_next = "keep" in request.POST or not _from_script(request)
    taken, following = _take(request, annotator, public_id, with_next=with_next)
    reply = taken.to_dict()
    word = word_after(reply)
    try:
        if not _from_script(request):
            return _next_grid(request, annotator, following, after=public_id, word=word)
        if with_next:
            fragment = _next_fragment(request, annotator, following, keep=request.POST["keep"])
            return JsonResponse({**reply, "word": word, "next": fragment})
    except UNAVAILABLE:
        logger.exception("grid %s is answered, and the next one failed", public_id)
        if not _from_script(request):  # the answered grid's page has a button for the next
            return SeeOther(reverse("grid", args=[slug, public_id]))
    return JsonResponse({**reply, "word": word})  # the script asks for a grid by itself


def _take(
    request: HttpRequest, annotator: Annotator, public_id: str, *, with_next: bool
) -> tuple[Reply, Challenge | None]:
    said = request.POST
    chosen, bad, now = selected(said), reported(said), timezone.now()
    if not with_next:
        reply = submit_answer(
            annotator=annotator, public_id=public_id, selected=chosen, reported=bad, now=now
        )
        return reply, None
    return submit_answer_and_issue(
        annotator=annotator,
        public_id=public_id,
        selected=chosen,
        reported=bad,
        now=now,
        generator=_new_dice(),
        keep=said.get("keep"),
    )


@require_POST
@never_cache
@explained
def skip(request: HttpRequest, slug: str, public_id: str) -> HttpResponse:
    """Put a grid away unanswered; what it reports counts."""
    annotator = _returning(request, slug)
    skip_challenge(
        annotator=annotator,
        public_id=public_id,
        reported=reported(request.POST),
        now=timezone.now(),
    )
    if _from_script(request):
        return HttpResponse(status=204)
    return _next_grid(request, annotator)


def _next_grid(
    request: HttpRequest,
    annotator: Annotator,
    issued: Challenge | None = None,
    *,
    keep: str | None = None,
    after: str = "",
    word: str = "",
) -> HttpResponse:
    """A fragment for the script, a redirect to the grid's page for everyone else.

    ``issued`` is the next grid where it is there already, ``after`` the grid answered just now, and
    ``word`` what was said to it: that is told also where no next grid comes.
    """
    slug = annotator.project.slug
    try:
        challenge = issued or issue_challenge(
            annotator=annotator, now=timezone.now(), generator=_new_dice(), keep=keep
        )
    except REFUSALS as refusal:
        return _state_reply(request, slug, state_of(refusal), word=word)
    if _from_script(request):
        return HttpResponse(_grid_fragment(request, annotator, challenge))
    page = reverse("grid", args=[slug, challenge.public_id])
    return SeeOther(f"{page}?after={after}" if after else page)


def _next_fragment(
    request: HttpRequest, annotator: Annotator, issued: Challenge | None, *, keep: str
) -> str:
    """The next grid, or why there is none; the answer before it is kept either way."""
    try:
        challenge = issued or issue_challenge(
            annotator=annotator, now=timezone.now(), generator=_new_dice(), keep=keep
        )
    except REFUSALS as refusal:
        context = state_context(state_of(refusal), project_slug=annotator.project.slug)
        return render_to_string("challenges/_state.html", context, request)
    return _grid_fragment(request, annotator, challenge)


def _grid_fragment(request: HttpRequest, annotator: Annotator, challenge: Challenge) -> str:
    return question_markup(
        project=annotator.project, challenge=challenge, csrf_token=get_token(request)
    )


def _returning(request: HttpRequest, slug: str) -> Annotator:
    """The Annotator of an answer. Strangers were served no grid, and get no row for trying."""
    if not is_known_in(request, project_slug=slug):
        raise ChallengeNotFound
    return annotator_in(request, project_slug=slug, now=timezone.now())


def _word_about(key: str | None, slug: str, public_id: str | None) -> str:
    """The word after the grid answered just before, read from its row; empty for others'."""
    if not public_id:
        return ""
    try:
        before = shown_challenge(annotator_key=key, project_slug=slug, public_id=public_id)
    except ChallengeNotFound:
        return ""
    return word_after(before.reply)


def _state_reply(request: HttpRequest, slug: str, state: State, *, word: str = "") -> HttpResponse:
    context = state_context(state, project_slug=slug, word=word)
    if _from_script(request):
        return render(request, "challenges/_state.html", context, status=state.status)
    return render(request, "challenges/state.html", context, status=state.status)


def _new_dice() -> Random:
    """One unpredictable seed a grid: the system's own generator would be asked for every draw."""
    return Random(_system.getrandbits(64))  # noqa: S311  seeded by the system


def _from_script(request: HttpRequest) -> bool:
    return request.headers.get("X-Requested-With") == "fetch"
