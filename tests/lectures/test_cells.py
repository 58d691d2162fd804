"""Asked for a slide, a lecture shows that slide: sections that run alone, and pictures that know their slides."""
import ast
import functools
import json

import pytest

from minidl import cli
from minidl.lectures import cells, slides

HERE = [lecture for lecture in slides.LECTURES if lecture.file]
CUT = [lecture for lecture in HERE if cells.can_be_cut(lecture.path.read_text(encoding="utf-8"))]

SECTIONS = """\
# %% [markdown]
# # Slides 8, 9 and 17: a lecture that can be cut
# %%
from matplotlib.figure import Figure
from minidl.lectures import lecture
talk = lecture(17, data=["digits", "mnist"])
ran = ["beginning"]
picture = lambda: Figure((1, 1))
# %% name="model" slides=[8]
ran.append("model")
talk.save(picture(), "model")
# %% name="other" slides=[9] needs=["model"]
ran.append("other")
talk.save(picture(), "other")
# %% name="model" slides=[17]
ran.append("more of the model")
talk.save(picture(), "result")
talk.save([picture(), picture()], "film", slides=[9, 17])
# %% name="bounds"
talk.metric("bounded", 3, at_most=2)
# %%
talk.metric("ran", len(ran))
print(*ran, sep=", ")
talk.finish()
"""


@pytest.fixture
def cut(tmp_path, monkeypatch):
    """Lecture 17 is one of our own, which can be cut."""
    path = tmp_path / "cut.py"
    path.write_text(SECTIONS)
    monkeypatch.setattr(slides, "LECTURES", tuple(lecture._replace(file=str(path)) if 17 in lecture.numbers else lecture
                                                  for lecture in slides.LECTURES))


@pytest.mark.parametrize("slide, ran, figures", [
    (8, "beginning, model, more of the model\n", ["01-slide-08-model.png"]),
    (9, "beginning, model, other, more of the model\n", ["02-slide-09-other.png", "04-slide-09-film.gif"]),
    (17, "beginning, model, more of the model\n", ["02-slide-17-result.png", "03-slide-09-film.gif"])])
def test_only_runs_what_a_slide_needs_and_names_its_pictures(cut, a_place_of_its_own, capsys, slide, ran, figures):
    assert cli.main(["lecture", str(slide), "--only"]) == 0
    out = capsys.readouterr().out
    assert ran in out and out.endswith(f"slide {slide}: {', '.join(figures)}\n")
    folder = a_place_of_its_own / "out" / f"lecture-{slide:03d}-only"
    record = json.loads((folder / "metrics.json").read_text())
    assert {path.name for path in folder.iterdir()} == {*record["figures"], "metrics.json"}
    assert "bounded" not in record["metrics"]
    assert cli.main(["lecture", str(slide), "--only", "--replay"]) == 2             # a part is not kept


def test_a_whole_run_lies_in_the_folder_of_the_slide_that_was_asked_for_and_ends_with_its_pictures(
        cut, a_place_of_its_own, capsys):
    assert cli.main(["lecture", "9"]) == 1                                          # the bound is missed
    assert capsys.readouterr().out.endswith("slide 9: 02-slide-09-other.png, 04-slide-09-film.gif\n")
    assert [path.name for path in (a_place_of_its_own / "out").iterdir()] == ["lecture-009"]
    cli.main(["lecture", "deep-autoencoder"])
    assert (a_place_of_its_own / "out" / "lecture-017").exists()
    assert not capsys.readouterr().out.splitlines()[-1].startswith("slide")                # a name asks for no slide


def test_a_run_replaces_the_pictures_of_the_one_before_it_and_nothing_else(tiny, cut, a_place_of_its_own):
    cli.main(["lecture", "9", "--out", "here"])
    (a_place_of_its_own / "here" / "mine.png").write_text("")
    assert cli.main(["lecture", "8", "--only", "--out", "here"]) == 0
    assert {path.name for path in (a_place_of_its_own / "here").iterdir()} == {
        "01-slide-08-model.png", "02-slide-17-result.png", "03-slide-09-film.gif", "metrics.json", "mine.png"}


def test_a_lecture_that_cannot_be_cut_says_so_and_runs_as_a_whole(tiny, a_place_of_its_own, capsys):
    tiny(1)
    assert cli.main(["lecture", "49", "--only"]) == 0
    assert capsys.readouterr().out.startswith("intermission cannot be cut: it runs as a whole\n")
    assert (a_place_of_its_own / "out" / "lecture-049").exists()


def test_only_wants_a_slide_and_one_that_a_section_shows(cut, tmp_path, a_place_of_its_own, capsys):
    assert cli.main(["lecture", "deep-autoencoder", "--only"]) == 2
    assert "say which of slides 8-9, 17" in capsys.readouterr().err
    (tmp_path / "cut.py").write_text(SECTIONS.replace("slides=[8]", ""))
    assert cli.main(["lecture", "8", "--only"]) == 2
    assert "no section of this lecture shows slide 8 alone, but there are those of 9, 17" in capsys.readouterr().err


def test_an_error_in_a_lecture_that_was_cut_names_its_line(cut, tmp_path, a_place_of_its_own):
    (tmp_path / "cut.py").write_text(SECTIONS.replace('talk.save(picture(), "result")', "1 / 0"))
    with pytest.raises(ZeroDivisionError) as error:
        cli.main(["lecture", "17", "--only"])
    assert error.traceback[-1].lineno + 1 == SECTIONS.splitlines().index('talk.save(picture(), "result")') + 1


# The lectures themselves ----------------------------------------------------------------------------------------------


def test_a_lecture_on_several_slides_can_be_asked_for_each_alone():
    assert [lecture.name for lecture in slides.LECTURES
            if lecture.file and len(lecture.numbers) > 1 and lecture not in CUT] == []


@pytest.mark.parametrize("lecture", CUT, ids=[lecture.name for lecture in CUT])
def test_every_slide_of_a_lecture_that_can_be_cut_has_a_section_and_every_need_is_one(lecture):
    found = cells.cells(lecture.path.read_text(encoding="utf-8"))
    assert {slide for cell in found for slide in cell.slides} == set(lecture.numbers)
    assert {need for cell in found for need in cell.needs} <= {cell.name for cell in found}


def names(nodes, kind):
    """The names that these statements read (ast.Load), or write in one way or another (ast.Store)."""
    for node in (node for statement in nodes for node in ast.walk(statement)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, kind):
            yield node.id
        elif kind is ast.Store and isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif kind is ast.Store and isinstance(node, ast.arg):
            yield node.arg
        elif kind is ast.Store and isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]


@functools.cache
def parsed(path):
    """A lecture's text, and its statements."""
    text = path.read_text(encoding="utf-8")
    return text, ast.parse(text).body


@pytest.mark.parametrize("lecture, slide", [(lecture, slide) for lecture in CUT for slide in lecture.numbers],
                         ids=lambda value: value if isinstance(value, int) else value.name)
def test_a_slide_alone_has_all_that_its_cells_use(lecture, slide):
    text, whole = parsed(lecture.path)
    lines = {line for cell in cells.chosen(text, slide) for line in cell.lines}
    part = [node for node in whole if node.lineno in lines]
    used = set(names(part, ast.Load)) & set(names(whole, ast.Store))
    assert used <= set(names(part, ast.Store)) and len(part) < len(whole)


@pytest.mark.parametrize("lecture", HERE, ids=[lecture.name for lecture in HERE])
def test_pictures_are_of_their_lectures_slides(lecture):
    found = cells.slides_of_pictures(lecture.path.read_text(encoding="utf-8"))
    assert found and all(set(shown) <= set(lecture.numbers) for shown in found.values())
    assert lecture not in CUT or all(shown for name, shown in found.items() if name != "nearest")


def test_slide_6_alone(run, capsys):
    record = run("6", "--only", "--fast")
    assert record["figures"] == ["geometry.png", "lloyd.gif", "explained-variance.png", "subspace.png"]
    assert capsys.readouterr().out.endswith(
        "slide 6: 01-slide-06-geometry.png, 02-slide-06-lloyd.gif, 04-slide-06-subspace.png\n")


def first_slides():
    """Of the slides that need the same cells, and so have the same run, the first, each with the others."""
    for lecture in CUT:
        text, alike = parsed(lecture.path)[0], {}
        for slide in lecture.numbers:
            alike.setdefault(tuple(cell.lines for cell in cells.chosen(text, slide)), []).append(slide)
        yield from ((found[0], found) for found in alike.values() if 6 not in found)


@pytest.mark.slow
@pytest.mark.parametrize("slide, alike", list(first_slides()))
def test_every_slide_alone(run, slide, alike):
    shown = run(str(slide), "--only", "--fast")["figure_slides"].values()
    assert set(alike) <= {number for figure in shown for number in figure}
