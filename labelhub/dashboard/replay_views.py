"""Replays: the page, and the numbers that it is drawn from. Nothing here writes a row."""

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from labelhub.dashboard import pages
from labelhub.dashboard.access import SEE, project_or_404, staff_who_may
from labelhub.dashboard.image_selectors import image_of
from labelhub.dashboard.replay_pages import Asked, replay_page
from labelhub.dashboard.wording import number
from labelhub.projects.models import Project
from labelhub.rounds.models import ModelVersion
from labelhub.rounds.replays import (
    NoAnswer,
    Refusal,
    ReplayRefused,
    replay_of_image,
    replay_of_picture,
)
from labelhub.rounds.selectors import serving_version

MOST_SENT = 8_000_000  # bytes of a picture
FORM_BYTES = 10_000  # around it
RETRY_AFTER_SECONDS = 2
MOST_DIGITS = 18  # of an id
STATUS_OF = {Refusal.GONE: 410, Refusal.PICTURE: 422, Refusal.FAILED: 500}


@require_safe
@staff_who_may(SEE)
def replay(request: HttpRequest, slug: str) -> HttpResponse:
    """The page; of one picture in one version, or with ``beside`` of two side by side."""
    project = project_or_404(slug)
    asked = [_asked(project, request.GET, "")]
    if request.GET.get("beside"):
        asked.append(_asked(project, request.GET, "beside_"))
    context = {
        "head": pages.head(project=project),
        "page": replay_page(project=project, asked=asked),
    }
    return render(request, "dashboard/replay.html", context)


@csrf_exempt  # checked below, once it is known that the body is of a size that may be read
@require_http_methods(["GET", "HEAD", "POST"])
@staff_who_may(SEE)
def replay_data(request: HttpRequest, slug: str) -> HttpResponse:
    """The stages of an image of the project (GET) or of a picture that is sent (POST) in a version,
    as ``classifier.replay`` packs them; else why not, in words."""
    try:
        if request.method == "POST":
            return _of_sent_picture(request, slug)
        return _of_image(request, slug)
    except NoAnswer as error:
        return _words(str(error), 503, {"Retry-After": str(RETRY_AFTER_SECONDS)})
    except ReplayRefused as refused:
        return _words(str(refused), STATUS_OF[refused.kind])


def _of_image(request: HttpRequest, slug: str) -> HttpResponse:
    asked = _asked(project_or_404(slug), request.GET, "")
    if asked.image is None or asked.version is None:
        raise Http404
    return _replay(replay_of_image(version=asked.version, image=asked.image))


def _of_sent_picture(request: HttpRequest, slug: str) -> HttpResponse:
    """Too large a body is refused before anything of it is read."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_SENT + FORM_BYTES:
        words = _("The picture is too large: at most %(most)s MB are taken.")
        return _words(words % {"most": number(MOST_SENT // 1_000_000)}, 413)
    return _of_form(request, slug)


@csrf_protect
def _of_form(request: HttpRequest, slug: str) -> HttpResponse:
    asked = _asked(project_or_404(slug), request.POST, "")
    if asked.version is None:
        raise Http404
    sent = request.FILES.get("picture")
    if sent is None:
        return _words(_("Choose a picture first."), 422)
    return _replay(replay_of_picture(version=asked.version, data=sent.read()))


def _replay(data: bytes) -> HttpResponse:
    return HttpResponse(data, content_type="application/octet-stream")


def _words(words: str, status: int, headers: dict[str, str] | None = None) -> HttpResponse:
    plain = "text/plain; charset=utf-8"
    return HttpResponse(words, status=status, content_type=plain, headers=headers)


def _asked(project: Project, given: QueryDict, prefix: str) -> Asked:
    """What an address names; the version in service where it names none. Raises Http404 for what
    the project does not have."""
    image_id, number_ = given.get(f"{prefix}image", ""), given.get(f"{prefix}version", "")
    image = image_of(project=project, image_id=_whole(image_id)) if image_id else None
    if image_id and image is None:
        raise Http404
    if not number_:
        return Asked(image, serving_version(project=project))
    version = ModelVersion.objects.filter(project=project, number=_whole(number_)).first()
    if version is None:
        raise Http404
    return Asked(image, version)


def _whole(text: str) -> int:
    """A number of an address. Raises Http404 for other words, and for more than a row can have."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise Http404
    return int(text)
