"""A lecture as a notebook, open or executed, and as a page that needs no network: by jupytext, nbclient and nbconvert.

They come with the extra `notebook`. A lecture's file is in jupytext's percent format, so that its cells are those of
the notebook; before them stands one that says how the lecture is to run, for who reads it to change.
"""
from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import minidl
from minidl.errors import BoundMissed, InputError
from minidl.files import atomic_write
from minidl.lectures import talk

if TYPE_CHECKING:
    from minidl.lectures import slides

SETTINGS = """\
from minidl import lectures

lectures.settings({})"""
# Lab's page without the scripts that it would fetch: those of RequireJS, MathJax, Mermaid and the widgets.
TEMPLATE = "{% extends 'lab/index.html.j2' %}" + "".join(
    f"{{% block {name} %}}{{% endblock %}}"
    for name in ("html_head_js", "html_head_js_mathjax", "html_head_js_mermaidjs", "jupyter_widgets")
) + "{% block extra_css %}<style>main { max-width: 85em; margin: auto; } img { max-width: 100%; }</style>{% endblock %}"


def write(found: slides.Lecture, options: talk.Options, path: str, *, executed: bool = False,
          html: bool = False) -> Path:
    """Write the lecture's notebook, executed or not, or with `html` its page, and return the file's path.

    `path` is the file, or the folder for a file of the lecture's name; "" is the current one. Raises InputError for a
    notebook that is there already, for a part of the extra that is missing, and for what the lecture refuses; and
    BoundMissed, with the file written, if a metric misses its bound.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        target /= found.name + (".html" if html else ".ipynb")
    if target.exists() and not html:
        raise InputError(f"{target} is there already, and may have been written in; name another file, or delete it")
    executed = executed or html
    _check_installed(["jupytext", "nbformat"] + ["nbclient", "ipykernel"] * executed
                     + ["nbconvert", "latex2mathml"] * html)
    book = notebook(found, options)
    missed = execute(book) if executed else None
    with atomic_write(target, "w") as file:
        file.write(page(book) if html else _as_json(book))
    if missed:
        raise missed
    return target


def notebook(found: slides.Lecture, options: talk.Options) -> Any:
    """The lecture as a notebook that has not been executed."""
    import jupytext
    from nbformat.v4 import new_code_cell

    book = jupytext.reads(found.path.read_text(encoding="utf-8"), fmt="py:percent")
    how = {"data": options.data, "device": options.device, "seed": options.seed, "fast": options.fast}
    if options.out:
        how["out"] = str(options.out)
    text = SETTINGS.format(", ".join(f"{name}={value!r}" for name, value in how.items()))
    book.cells.insert(0, new_code_cell(text + "      # None: the lecture's usual data" * (options.data is None)))
    book.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                     "language_info": {"name": "python"}, "title": f"{found.title} ({found.where})"}
    return book


def execute(book: Any) -> BoundMissed | None:
    """Run all cells of a notebook, in the current folder, and keep in it what they print and draw.

    Returns the error of a lecture whose metrics miss their bounds, which is its last; raises any other.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    from minidl.progress import bar

    # The kernel's Python is to find this minidl, which may be a clone that is not installed.
    folders = [str(Path(minidl.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    client = NotebookClient(book, resources={"metadata": {"path": os.getcwd()}}, shutdown_kernel="immediate",
                            extra_arguments=["--log-level=ERROR"])
    client.reset_execution_trackers()
    try:                                         # cell by cell, since `client.execute` answers no Ctrl-C
        with client.setup_kernel(env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))}):
            for i, cell in enumerate(bar(book.cells, description="cells")):
                client.execute_cell(cell, i)
            client.set_widgets_metadata()
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)     # it would tell of the cell that was not finished
        raise
    except CellExecutionError as error:
        if error.ename == "BoundMissed":
            return BoundMissed(error.evalue)
        refused = {"InputError": InputError, "OtherData": talk.OtherData}.get(error.ename)
        if refused is None:
            raise
        raise refused(error.evalue) from None
    return None


def page(book: Any) -> str:
    """An executed notebook as an HTML page that fetches nothing: it holds the pictures, and formulas are MathML."""
    from jinja2 import pass_context
    from latex2mathml import converter
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return converter.convert(body)

        def block_math(self, body: str) -> str:
            return converter.convert(body, display="block")

    class Page(HTMLExporter):
        @pass_context
        def markdown2html(self, context: Any, source: str) -> str:
            return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)

    content, _ = Page(raw_template=TEMPLATE).from_notebook_node(_for_a_page(book))
    return content


def _for_a_page(book: Any) -> Any:
    """The notebook without progress bars, and with films as HTML: nbconvert shows them in no other way."""
    from nbformat import from_dict

    book = from_dict(book)
    for cell in book.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"
                            and "application/vnd.jupyter.widget-view+json" not in output.get("data", ())]
            for output in cell.outputs:
                if film := output.get("data", {}).get("image/gif"):
                    output.data["text/html"] = f'<img src="data:image/gif;base64,{film.strip()}">'
    return book


def _as_json(book: Any) -> str:
    import nbformat

    return nbformat.writes(book) + "\n"


def _check_installed(names: list[str]) -> None:
    if missing := [name for name in names if importlib.util.find_spec(name) is None]:
        raise InputError(f"this needs {' and '.join(missing)}; pip install -e '.[notebook]' in minidl's folder")
