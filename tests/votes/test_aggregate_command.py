"""``manage.py aggregate``: any tool's answers in, the likeliest classes out."""

import csv
import gzip
import json

import pytest
from django.core.management import CommandError, call_command

HEADER = "item,annotator,label,truth"
ROWS = [
    "cat 1,ada,cat,cat",
    "cat 1,carla,cat,cat",
    "cat 1,oskar,dog,cat",
    "dog 1,ada,dog,dog",
    "dog 1,carla,dog,dog",
    "dog 1,oskar,dog,dog",
    "fog,ada,cat,",
]


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([HEADER, *ROWS]) + "\n")
    return path


def aggregated(path, capsys, *options: str) -> dict:
    call_command("aggregate", str(path), "--json", "-", *options)
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("method", ["dawid-skene", "one-coin", "majority"])
def test_each_method_counts_and_scores_what_has_a_truth(votes, capsys, method) -> None:
    result = aggregated(votes, capsys, "--method", method)
    assert result.keys() == {
        "items",
        "annotators",
        "votes",
        "repeated",
        "seconds",
        "accuracy",
    }
    assert (result["items"], result["annotators"], result["votes"]) == (3, 3, 7)
    assert result["accuracy"] == 1.0


def test_without_a_truth_there_is_no_accuracy(tmp_path, capsys) -> None:
    path = tmp_path / "votes.csv"
    path.write_text("annotator,image_index,label\n1,0,3\n2,0,3\n1,1,4\n")
    result = aggregated(path, capsys)
    assert result["accuracy"] is None
    assert result["items"] == 2


def test_compressed_files_and_a_truth_of_another_name(tmp_path, capsys) -> None:
    path = tmp_path / "votes.csv.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("item,annotator,label,expert\n1,a,0,0\n1,b,0,0\n2,a,1,0\n2,b,1,0\n")
    assert aggregated(path, capsys, "--truth", "expert")["accuracy"] == 0.5


def test_the_same_answer_twice_counts_once_and_is_told(votes, capsys) -> None:
    votes.write_text("\n".join([HEADER, *ROWS, *ROWS[:5]]) + "\n")
    result = aggregated(votes, capsys)
    assert (result["votes"], result["repeated"]) == (7, 5)
    call_command("aggregate", str(votes))
    assert "7 answers of 3 annotators (5 more lines repeat one and do not count)" in (
        capsys.readouterr().out
    )


def test_two_answers_of_one_annotator_about_an_item_count_both(votes, capsys) -> None:
    votes.write_text("\n".join([HEADER, *ROWS, "cat 1,ada,dog,cat"]) + "\n")
    result = aggregated(votes, capsys)
    assert (result["votes"], result["repeated"]) == (8, 0)
    call_command("aggregate", str(votes))
    assert "repeat" not in capsys.readouterr().out


def test_out_holds_a_line_for_each_item(votes, tmp_path, capsys) -> None:
    out = tmp_path / "labels.csv"
    aggregated(votes, capsys, "--out", str(out))
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [(row["item"], row["label"]) for row in rows[:2]] == [("cat 1", "cat"), ("dog 1", "dog")]
    assert 0.5 < float(rows[1]["probability"]) <= 1
    assert {path.name for path in tmp_path.iterdir()} == {"votes.csv", "labels.csv"}


def test_a_grid_takes_yes_no_and_maybe(tmp_path, capsys) -> None:
    path, out = tmp_path / "votes.csv", tmp_path / "labels.csv"
    lines = [
        f"{item},{person},{2 if item < 5 else 0},{int(item < 5)}"
        for item in range(15)
        for person in range(5)
    ]
    path.write_text("\n".join([HEADER, *lines, "0,9,1,1"]) + "\n")
    assert aggregated(path, capsys, "--method", "grid", "--out", str(out))["accuracy"] == 1.0
    assert {row["label"] for row in csv.DictReader(out.read_text().splitlines())} == {"0", "1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no column 'annotator'"),
        ("item,annotator,label\n", "no answers in it"),
        ("item,annotator\n1,ada\n", "no column 'label'"),
        ("item,annotator,label\n1,ada,0\n2,,1\n", "line 3: the annotator is empty"),
        ("item,annotator,label,truth\n1,ada,0,0\n1,carla,0,1\n", "line 3: item '1' is '1' here"),
    ],
)
def test_a_file_that_cannot_be_counted_is_named_with_its_line(tmp_path, text, words) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(CommandError, match=words) as refused:
        call_command("aggregate", str(path))
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_grid_of_words_a_missing_file_and_a_missing_truth_are_refused(votes, tmp_path) -> None:
    with pytest.raises(CommandError, match="wants labels 0"):
        call_command("aggregate", str(votes), "--method", "grid")
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("aggregate", str(tmp_path / "none.csv"))
    with pytest.raises(CommandError, match="no column 'gold'"):
        call_command("aggregate", str(votes), "--truth", "gold")
    with pytest.raises(CommandError, match="--out"):
        call_command("aggregate", str(votes), "--out", str(tmp_path / "no" / "where.csv"))


def test_the_benchmark_tells_its_time_and_accuracy(capsys) -> None:
    call_command("bench_aggregation", "--items", "300", "--json", "-")
    result = json.loads(capsys.readouterr().out)
    assert result.keys() == {"seconds", "accuracy", "peer_seconds", "ratio"}
    assert result["accuracy"] > 0.8
    with pytest.raises(CommandError, match="--items"):
        call_command("bench_aggregation", "--items", "0")


def test_a_file_with_a_byte_order_mark_is_read_as_spreadsheets_save_it(tmp_path, capsys) -> None:
    path = tmp_path / "excel.csv"
    path.write_text("item,annotator,label\na,x,1\nb,x,0\n", encoding="utf-8-sig")
    call_command("aggregate", str(path), method="majority")
    assert capsys.readouterr().out.startswith("2 items by majority")
