"""Pages that are looked at. None of them writes."""

import csv
import json
from io import StringIO
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseNotModified
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from labelhub.dashboard import pages
from labelhub.dashboard.access import CHANGE, SEE, project_or_404, staff_who_may
from labelhub.dashboard.contested_pages import contested_card, contested_page, contested_title
from labelhub.dashboard.doubted_pages import doubted_card, doubted_page, doubted_title
from labelhub.dashboard.history import csv_rows
from labelhub.dashboard.image_pages import image_page
from labelhub.dashboard.image_selectors import known_image, picture_of
from labelhub.dashboard.reported_pages import reported_page
from labelhub.dashboard.selectors import round_records
from labelhub.dashboard.stats import stats
from labelhub.projects.pictures import PictureMissing, content_type, read_full, read_tile

PICTURE_SECONDS = 86_400
MOST_TOLD = 300  # characters of a header
MOST_DIGITS = 19  # of an id


@require_safe
@staff_who_may(SEE)
def projects(request: HttpRequest) -> HttpResponse:
    """All projects with how far they are and what they need."""
    rows = pages.project_rows(now=timezone.now())
    return render(request, "dashboard/projects.html", {"projects": rows})


@require_safe
@staff_who_may(SEE)
def cockpit(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything about one project."""
    page = pages.cockpit(project=project_or_404(slug), now=timezone.now())
    return render(request, "dashboard/cockpit.html", {"page": page, "may_change": _may(request)})


def _may(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(CHANGE))


@require_safe
@staff_who_may(SEE)
def answers(request: HttpRequest, slug: str) -> HttpResponse:
    """The first screen alone."""
    part = pages.answers_part(project=project_or_404(slug), now=timezone.now())
    context = {"answers": part, "may_change": _may(request), "alone": True}
    return render(request, "dashboard/_answers.html", context)


@require_safe
@staff_who_may(SEE)
def latest_round(request: HttpRequest, slug: str) -> HttpResponse:
    """The latest Round alone; says in a header when it moved since it was ``seen``."""
    panel = pages.round_part(project=project_or_404(slug), now=timezone.now())
    response = render(request, "dashboard/_round.html", {"round": panel})
    if request.GET.get("seen") != panel.stamp:
        moved = {"round-moved": {"words": f"{panel.title}. {panel.words}"[:MOST_TOLD]}}
        response.headers["HX-Trigger"] = json.dumps(moved)
    return response


@require_safe
@staff_who_may(SEE)
def details(request: HttpRequest, slug: str) -> HttpResponse:
    """What stands below the first screen, alone."""
    part = pages.details_part(project=project_or_404(slug), now=timezone.now())
    return render(request, "dashboard/_details.html", {"details": part})


@require_safe
@staff_who_may(SEE)
def stats_json(request: HttpRequest, slug: str) -> HttpResponse:
    """The numbers of the cockpit."""
    return JsonResponse(stats(project=project_or_404(slug), now=timezone.now()))


@require_safe
@staff_who_may(SEE)
def rounds_csv(request: HttpRequest, slug: str) -> HttpResponse:
    """Every Round of the project."""
    buffer = StringIO()
    csv.writer(buffer).writerows(csv_rows(round_records(project=project_or_404(slug))))
    headers = {"Content-Disposition": f'attachment; filename="{slug}-rounds.csv"'}
    return HttpResponse(buffer.getvalue(), content_type="text/csv; charset=utf-8", headers=headers)


@require_safe
@staff_who_may(SEE)
def reports(request: HttpRequest, slug: str) -> HttpResponse:
    """The pictures that people reported, and those that were excluded."""
    project = project_or_404(slug)
    context = {
        "head": pages.head(project=project),
        "page": reported_page(project=project),
        "may_change": _may(request),
    }
    return render(request, "dashboard/reports.html", context)


@require_safe
@staff_who_may(SEE)
def contested(request: HttpRequest, slug: str) -> HttpResponse:
    """The pictures that people cannot settle; to a script, the one just decided on alone."""
    project = project_or_404(slug)
    turn, image_id = _turn(request)
    context: dict[str, Any] = {"head": pages.head(project=project), "may_change": _may(request)}
    if "HX-Request" in request.headers and image_id:
        card = contested_card(project=project, image_id=image_id)
        if card is None:
            raise Http404
        context |= {"card": card, "turn": turn, "title": contested_title(project=project)}
        return render(request, "dashboard/_contested_alone.html", context)
    context["page"] = contested_page(project=project, turn=turn, decided_id=image_id)
    return render(request, "dashboard/contested.html", context)


@require_safe
@staff_who_may(SEE)
def label_errors(request: HttpRequest, slug: str) -> HttpResponse:
    """The settled labels that networks doubt; to a script, the one just decided on alone."""
    project = project_or_404(slug)
    turn, image_id = _turn(request)
    context: dict[str, Any] = {"head": pages.head(project=project), "may_change": _may(request)}
    if "HX-Request" in request.headers and image_id:
        card = doubted_card(project=project, image_id=image_id)
        if card is None:
            raise Http404
        context |= {"card": card, "turn": turn, "title": doubted_title(project=project)}
        return render(request, "dashboard/_doubted_alone.html", context)
    context["page"] = doubted_page(project=project, turn=turn, decided_id=image_id)
    return render(request, "dashboard/label_errors.html", context)


def _turn(request: HttpRequest) -> tuple[str, int | None]:
    """The page of a list, and the image that was decided on a moment ago."""
    turn, decided = request.GET.get("page", ""), request.GET.get("decided", "")
    whole = decided.isascii() and decided.isdecimal() and len(decided) < MOST_DIGITS
    return turn, int(decided) if whole else None


@require_safe
@staff_who_may(SEE)
def image(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """All that is known of one picture."""
    project = project_or_404(slug)
    known = known_image(project=project, image_id=image_id)
    if known is None:
        raise Http404
    context = {
        "head": pages.head(project=project),
        "page": image_page(project=project, known=known, now=timezone.now()),
        "may_change": _may(request),
    }
    return render(request, "dashboard/image.html", context)


@require_safe
@staff_who_may(SEE)
def picture(request: HttpRequest, slug: str, image_id: int, *, tile: bool) -> HttpResponse:
    """The picture itself, as a tile or full. Kept by the browser of its reader alone."""
    sha256 = picture_of(project_slug=slug, image_id=image_id)
    if sha256 is None:
        raise Http404
    etag = quote_etag(f"{sha256}-{'tile' if tile else 'full'}")
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={PICTURE_SECONDS}"}
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers=headers)
    try:
        data = read_tile(sha256) if tile else read_full(sha256)
    except PictureMissing as error:
        raise Http404 from error
    return HttpResponse(data, content_type=content_type(data), headers=headers)
