"""The slide map covers the deck, and finds a lecture by what a person types."""
import ast
import re

import pytest

import minidl as md
from minidl.lectures import slides

HERE = [lecture for lecture in slides.LECTURES if lecture.file]


def test_every_slide_belongs_to_one_lecture_and_the_last_one_to_four():
    covered = [slide for lecture in slides.LECTURES for slide in lecture.numbers]
    assert sorted(covered) == [*range(1, 116), 115, 115, 115]
    folders = [lecture.folder() for lecture in slides.LECTURES]
    assert len(set(folders)) == len(folders) and slides.LECTURES[2].folder() == "lecture-017"


def test_names_are_unique_and_what_they_announce_exists():
    assert len({lecture.name for lecture in slides.LECTURES}) == len(slides.LECTURES)
    files = {path.name for path in slides.Path(slides.__file__).parent.glob("s[0-9]*.py")}
    assert {lecture.file for lecture in HERE} == files


def test_the_folder_reads_in_the_order_of_the_deck():
    for lecture in HERE:
        assert lecture.file == f"s{lecture.numbers[0]:03d}_{lecture.name.replace('-', '_')}.py"
    assert [lecture.file for lecture in HERE] == sorted(lecture.file for lecture in HERE)


def test_the_pictures_of_a_lecture_stand_beside_it():
    files = {path.stem for path in (slides.Path(slides.__file__).parent / "pictures").glob("*.py")} - {"__init__"}
    assert files <= {lecture.name.replace("-", "_") for lecture in HERE}


@pytest.mark.parametrize("wanted, name", [
    (5, "pca-kmeans"), ("7", "pca-kmeans"), ("8", "deep-autoencoder"), (17, "deep-autoencoder"), ("deep-auto",
    "deep-autoencoder"), ("Deep_Autoencoder", "deep-autoencoder"), ("pca_kmeans.py", "pca-kmeans"), (" 17 ",
    "deep-autoencoder"), ("s005_pca_kmeans.py", "pca-kmeans"), ("s115_training", "training-tricks")])
def test_a_lecture_is_found_by_slide_or_name(wanted, name):
    assert [lecture.name for lecture in slides.find(wanted)] == [name]


def test_the_last_slide_has_a_lecture_for_each_of_its_topics():
    assert [lecture.name for lecture in slides.find(115)] == [
        "basic-networks", "convolutional-networks", "recurrent-networks", "training-tricks"]


@pytest.mark.parametrize("wanted, sentence", [
    (0, "there is no slide 0: the deck has slides 1 to 115"), ("116", "no slide 116"), (-1, "no slide -1"),
    ("pca-kmean5", "nearest names are pca-kmeans"),
    ("autoencoder", "deep-autoencoder"), ("", "no lecture"), ("gan-", "fits several lectures"),
    ("zzzz", "there are: description-length")])
def test_what_cannot_be_found_gets_a_sentence(wanted, sentence):
    with pytest.raises(md.InputError, match=sentence):
        slides.find(wanted)


@pytest.mark.parametrize("wanted, sentence", [
    (12, "slide 12, .*slides 10-16.* is still to come; there are: .*deep-autoencoder"),
    ("sparse", "slides 10-16.*still to come")])
def test_a_lecture_without_a_file_is_still_to_come(monkeypatch, wanted, sentence):
    monkeypatch.setattr(slides, "LECTURES", [lecture._replace(file="") if lecture.name == "sparse-autoencoder" else
                                             lecture for lecture in slides.LECTURES])
    with pytest.raises(md.InputError, match=sentence):
        slides.find(wanted)
    assert [line.split()[1] for line in slides.listing().splitlines() if "still to come" in line] == [
        lecture.name for lecture in slides.LECTURES if not lecture.file]


@pytest.mark.parametrize("lecture", HERE, ids=[lecture.name for lecture in HERE])
def test_the_list_tells_each_lectures_data_sets_and_how_long_its_usual_one_takes(lecture):
    calls = [node for node in ast.walk(ast.parse(lecture.path.read_text(encoding="utf-8")))
             if isinstance(node, ast.Call) and ast.unparse(node.func) == "lecture"]
    data = [ast.literal_eval(keyword.value) for keyword in calls[0].keywords if keyword.arg == "data"] or [["digits"]]
    assert list(lecture.data) == data[0]
    line, = (line for line in slides.listing().splitlines() if f" {lecture.name} " in line)
    assert f"({data[0][0]} {lecture.data[data[0][0]]:g}" in line and all(name in line for name in data[0])


@pytest.mark.parametrize("lecture", HERE, ids=[lecture.name for lecture in HERE])
def test_every_bar_of_a_lecture_says_what_trains(lecture):
    for node in ast.walk(ast.parse(lecture.path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "talk.train":
            assert {"about", "name", "progress"} & {keyword.arg for keyword in node.keywords}
        if isinstance(node, ast.Name | ast.alias):
            assert "tqdm" not in ast.unparse(node)


@pytest.mark.parametrize("lecture", HERE, ids=[lecture.name for lecture in HERE])
def test_lecture_files_are_readable_notebooks(lecture):
    text = lecture.path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    cells = re.split(r"^# %%", text, flags=re.M)
    assert cells[0] == "" and len(cells) > 6
    title = cells[1].splitlines()
    assert title[0].strip() == "[markdown]" and title[1].startswith("# # Slide")
    assert {int(n) for n in re.findall(r"\d+", title[1].split(":")[0])} <= set(lecture.numbers)
    for cell in cells[1:]:
        kind, *lines = cell.splitlines()
        if kind.strip() == "[markdown]":
            assert all(not line or line.startswith("#") for line in lines)
        else:
            assert re.fullmatch(r'( name="[a-z-]+")?( slides=\[[\d, ]+\])?( needs=\["[a-z-]+"(, "[a-z-]+")*\])?', kind)
            ast.parse("\n".join(lines))
    last = tree.body[-1]
    assert isinstance(last, ast.Expr) and ast.unparse(last.value) == "talk.finish()"
