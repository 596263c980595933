"""What Django alone costs here: the floor under every serving figure.

A floor cycle reads one indexed row, sends as many bytes as a sheet of tiles has, and inserts nine
rows, through the same server, middleware and database settings, with none of the product's work.
That is three requests; in two, the row is read by the one that inserts, as the product's answer
brings the next grid along.
"""

from typing import ClassVar

from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

ROWS = 1000
INSERTS = 9


class FloorRow(models.Model):
    """A row of the benchmark's own database; no migration makes it anywhere else."""

    number = models.IntegerField(db_index=True)
    text = models.CharField(max_length=64)
    objects: ClassVar[models.Manager["FloorRow"]] = models.Manager()

    class Meta:
        app_label = "benchmarks"
        managed = False
        db_table = "floor_row"

    def __str__(self) -> str:
        return self.text


def lay_floor() -> None:
    """Make the table and its rows."""
    with connection.schema_editor() as editor:
        editor.create_model(FloorRow)
    FloorRow.objects.bulk_create(
        FloorRow(number=number, text=f"row {number}") for number in range(ROWS)
    )


def read(request: HttpRequest, pk: int) -> HttpResponse:
    """One indexed row, as a short text."""
    return HttpResponse(FloorRow.objects.get(pk=pk).text)


def some_bytes(request: HttpRequest) -> HttpResponse:
    """As many bytes as asked for."""
    return HttpResponse(b"x" * int(request.GET["size"]), content_type="image/png")


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """Nine rows in one transaction; before that, the row that is asked for along with it."""
    if "read" in request.GET:
        FloorRow.objects.get(pk=int(request.GET["read"]))
    with transaction.atomic():
        FloorRow.objects.bulk_create(
            FloorRow(number=number, text="inserted") for number in range(INSERTS)
        )
    return HttpResponse("done")
