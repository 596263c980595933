"""What admins do: by POST alone, each with a word after it."""

from collections.abc import Callable
from typing import cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from labelhub.challenges.models import Report
from labelhub.dashboard import pages
from labelhub.dashboard.access import CHANGE, project_or_404, staff_who_may
from labelhub.dashboard.forms import GoldForm
from labelhub.dashboard.image_selectors import image_of
from labelhub.dashboard.rolling_back import rollback_page
from labelhub.dashboard.services import (
    NotAsked,
    NotGold,
    ask_about_again,
    confirm_gold_of,
    correct_gold_of,
    decide_on,
    mark_as_gold,
    take_gold_back,
)
from labelhub.projects.models import Image, LabelClass, Project
from labelhub.projects.services import pause_project, resume_project
from labelhub.rounds.models import Round
from labelhub.rounds.rollback import roll_back
from labelhub.rounds.services import RoundIsOpen, TooFewLabels, open_round

# The pages of these names, as their forms say: a decision stays on them.
LISTS = {"contested": "dashboard:contested", "doubted": "dashboard:label_errors"}


@require_POST
@staff_who_may(CHANGE)
def run_round(request: HttpRequest, slug: str) -> HttpResponse:
    """Open a Round now."""
    try:
        opened = open_round(
            project=project_or_404(slug),
            trigger=Round.Trigger.PERSON,
            opened_by_id=request.user.pk,
            now=timezone.now(),
        )
        messages.success(request, _("Round %(n)s is on its way.") % {"n": opened.number})
    except (RoundIsOpen, TooFewLabels) as error:
        messages.warning(request, _("No Round was opened: %(reason)s.") % {"reason": error})
    return redirect("dashboard:cockpit", slug)


@require_POST
@staff_who_may(CHANGE)
def pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Serve no more grids and open no Round by the schedule."""
    pause_project(project=project_or_404(slug))
    messages.success(request, _("Paused. What was answered so far is kept."))
    return redirect("dashboard:cockpit", slug)


@require_POST
@staff_who_may(CHANGE)
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Serve grids and keep the schedule again."""
    resume_project(project=project_or_404(slug))
    messages.success(request, _("Resumed. People can answer again."))
    return redirect("dashboard:cockpit", slug)


@require_http_methods(["GET", "HEAD", "POST"])
@staff_who_may(CHANGE)
def rollback(request: HttpRequest, slug: str) -> HttpResponse:
    """Say what a rollback would do; do it when that is sent."""
    project = project_or_404(slug)
    if request.method != "POST":
        context = {"head": pages.head(project=project), "page": rollback_page(project=project)}
        return render(request, "dashboard/rollback.html", context)
    try:
        before, after = roll_back(project=project, to_number=None, now=timezone.now())
        words = {"before": before.number, "after": after.number}
        messages.success(request, _("Version %(after)d serves again, not %(before)d.") % words)
    except LookupError as error:
        messages.warning(request, _("Nothing was changed: %(reason)s.") % {"reason": error})
    return redirect("dashboard:cockpit", slug)


@require_POST
@staff_who_may(CHANGE)
def mark_gold(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Mark an image as Gold of the class that was chosen."""
    return _say_class(request, slug, image_id, mark_as_gold, _("Marked as Gold: %(name)s."))


@require_POST
@staff_who_may(CHANGE)
def correct_gold(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Say another class of an image that is Gold."""
    done = _("Corrected: it is Gold of %(name)s. Grades given before stand.")
    return _say_class(request, slug, image_id, correct_gold_of, done)


def _say_class(
    request: HttpRequest, slug: str, image_id: int, say: Callable[..., LabelClass], done: str
) -> HttpResponse:
    project = project_or_404(slug)
    image = _image_or_404(project, image_id)
    form = GoldForm(request.POST, project=project)
    if not form.is_valid():
        messages.warning(request, " ".join(map(str, form.errors["label_class"])))
        return _back(request, slug, image_id)
    try:
        label_class = say(
            project=project,
            image=image,
            label_class_id=form.cleaned_data["label_class"],
            user_id=_actor(request),
            now=timezone.now(),
        )
        _tell(request, done % {"name": label_class.name})
    except NotGold as error:
        messages.warning(request, str(error))
    return _back(request, slug, image_id)


@require_POST
@staff_who_may(CHANGE)
def take_back_gold(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Make an image that is Gold ordinary again."""
    image = _image_or_404(project_or_404(slug), image_id)
    try:
        take_gold_back(image=image, user_id=_actor(request), now=timezone.now())
        _tell(request, _("Gold no more: it rests on its votes, and is asked about."))
    except NotGold as error:
        messages.warning(request, str(error))
    return _back(request, slug, image_id)


@require_POST
@staff_who_may(CHANGE)
def confirm_gold(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Say by one's own eye that Gold is right."""
    image = _image_or_404(project_or_404(slug), image_id)
    try:
        confirm_gold_of(image=image, user_id=_actor(request), now=timezone.now())
        _tell(request, _("Confirmed: it is Gold by your word too."))
    except NotGold as error:
        messages.warning(request, str(error))
    return _back(request, slug, image_id)


@require_POST
@staff_who_may(CHANGE)
def ask_again(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Ask the next people about an image's label."""
    image = _image_or_404(project_or_404(slug), image_id)
    try:
        ask_about_again(image=image, user_id=_actor(request))
        _tell(request, _("It is asked about next."))
    except NotAsked as error:
        messages.warning(request, str(error))
    return _back(request, slug, image_id)


@require_POST
@staff_who_may(CHANGE)
def exclude(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Ask about an image no more, and count it nowhere."""
    done = _("%(name)s is excluded. Its votes are kept; it can be taken back in.")
    return _decide(request, slug, image_id, Report.Decision.EXCLUDED, done)


@require_POST
@staff_who_may(CHANGE)
def keep(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """Close the reports of an image, or take it back in."""
    done = _("%(name)s stays: it counts, and is asked about.")
    return _decide(request, slug, image_id, Report.Decision.KEPT, done)


def _decide(
    request: HttpRequest, slug: str, image_id: int, decision: Report.Decision, done: str
) -> HttpResponse:
    image = _image_or_404(project_or_404(slug), image_id)
    decide_on(image=image, decision=decision, user_id=_actor(request), now=timezone.now())
    _tell(request, done % {"name": image.name})
    return _back(request, slug, image_id)


def _tell(request: HttpRequest, done: str) -> None:
    """Say what was done, unless the page that comes next says it with the picture."""
    if request.POST.get("from") not in LISTS:
        messages.success(request, done)


def _back(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """The page that the decision was made on."""
    origin = request.POST.get("from", "")
    if origin in LISTS:
        where = {"page": request.POST.get("page", ""), "decided": image_id}
        return redirect(f"{reverse(LISTS[origin], args=[slug])}?{urlencode(where)}")
    if origin == "reports":
        return redirect("dashboard:reports", slug)
    return redirect("dashboard:image", slug, image_id)


def _actor(request: HttpRequest) -> int:
    """The person who acts: nobody comes here who is not signed in."""
    return cast("int", request.user.pk)


def _image_or_404(project: Project, image_id: int) -> Image:
    image = image_of(project=project, image_id=image_id)
    if image is None:
        raise Http404
    return image
