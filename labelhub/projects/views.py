"""The home page, the page of a project, and the example pictures of its classes."""

import logging

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe

from labelhub.projects.models import Project
from labelhub.projects.pages import class_row, project_card
from labelhub.projects.pictures import PictureMissing, content_type, read_tile
from labelhub.projects.selectors import (
    catalogue,
    example_picture,
    project_by_slug,
    projects_with_progress,
)

EXAMPLE_SECONDS = 86_400
logger = logging.getLogger(__name__)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """All projects with how far they are."""
    cards = [project_card(project) for project in projects_with_progress()]
    return render(request, "home.html", {"projects": cards})


@require_safe
def landing(request: HttpRequest, slug: str) -> HttpResponse:
    """What a project is for, its classes, its progress, and the Start button."""
    project = project_by_slug(slug)
    if project is None:
        raise Http404
    context = {
        "project": project,
        "card": project_card(project),
        "open": project.status == Project.Status.ACTIVE,
        "classes": [class_row(slug, entry) for entry in catalogue(project).askable],
        "start_url": reverse("issue", args=[slug]),
    }
    return render(request, "projects/landing.html", context)


@require_safe
def example(request: HttpRequest, slug: str, image_id: int) -> HttpResponse:
    """The picture of an Example. Other images have no public address."""
    sha256 = example_picture(project_slug=slug, image_id=image_id)
    if sha256 is None:
        raise Http404
    etag = quote_etag(sha256)
    if request.headers.get("If-None-Match") == etag:
        return HttpResponseNotModified(headers={"ETag": etag})
    try:
        data = read_tile(sha256)
    except PictureMissing as error:
        logger.exception("example %s of %s cannot be shown", image_id, slug)
        raise Http404 from error
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={EXAMPLE_SECONDS}"}
    return HttpResponse(data, content_type=content_type(data), headers=headers)
