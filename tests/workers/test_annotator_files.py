"""Made-up annotators in a file: what is read, and what is refused, by its place and its name."""

import json

import pytest

from tests.workers.test_simulate import colours
from workers.simulate.annotator_files import read_annotators
from workers.simulate.data import SimulationError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "a list of annotators"),
        ("7", "a list of annotators"),
        ('{"annotators": {}}', "a list of annotators"),
        ("[3]", "annotator 1: an object was expected"),
        ('[{}, {"skill": 1}]', "annotator 2: 'skill' is none of accuracy, confusion, count"),
        ('[{"kind": "angry"}]', 'annotator 1: kind "angry" is not one of honest, random, all-yes'),
        ('[{"kind": ["honest"]}]', "kind .* is not one of honest"),
        ('[{"count": "three"}]', 'annotator 1: count "three" is not a whole number, 1 to 100,000'),
        ('[{"count": 0}]', "count 0 is not"),
        ('[{"count": 2.5}]', "count 2.5 is not"),
        ('[{"count": true}]', "count true is not"),
        ('[{"count": null}]', "count null is not"),
        ('[{"accuracy": 2.0}]', "accuracy 2.0 is not a number, 0 to 1"),
        ('[{"accuracy": NaN}]', "accuracy NaN is not"),
        ('[{"spread": -0.1}]', "spread -0.1 is not a number, 0 to 1"),
        ('[{"pace": 0}]', "pace 0 is not a number above 0, up to 1,000"),
        ('[{"pace": Infinity}]', "pace Infinity is not"),
        ('[{"shift": 0.5}]', "shift 0.5 is not a whole number"),
        ('[{"confusion": [[1]]}]', "confusion .* is not 3 x 3 numbers, 0 or more"),
        ('[{"confusion": [[0, 1, 1], [1, 0, 1], [1, -1, 0]]}]', "confusion .* is not 3 x 3"),
        ('[{"confusion": [[0, 1, 1], [1, 0, 1], [1, "x", 0]]}]', "confusion .* is not 3 x 3"),
        ('[{"confusion": "very"}]', "confusion .* is not 3 x 3"),
    ],
)
def test_annotators_that_make_no_sense_are_named(tmp_path, text, said) -> None:
    path = tmp_path / "people.json"
    path.write_text(text)
    with pytest.raises(SimulationError, match=rf"people\.json.*{said}"):
        read_annotators(path, colours(6), 0)


def test_annotators_are_read_from_a_list_or_an_object(tmp_path) -> None:
    path = tmp_path / "people.json"
    path.write_text(json.dumps({"annotators": [{"count": 3, "pace": 2.0}, {"kind": "random"}]}))
    people = read_annotators(path, colours(6), 0)
    assert people.count == 4
    assert people.pace(0) == 2.0


def test_every_field_can_be_given(tmp_path) -> None:
    path = tmp_path / "people.json"
    confusion = [[0, 1, 0], [0.5, 0, 0.5], [1, 0, 0]]
    full = {"count": 2, "kind": "colluder", "accuracy": 1, "spread": 0.1, "confusion": confusion,
            "pace": 0.5, "shift": 2}  # fmt: skip
    path.write_text(json.dumps([full, {"confusion": None}]))
    assert read_annotators(path, colours(6), 0).count == 3
