"""The order of rooms: each imports from those above it, README's table is that order, and nothing private is shared."""
import ast
import functools
import graphlib
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = {"minidl": ROOT / "minidl", "minidl.lectures": ROOT / "lectures"}          # where the packages' files are

# From the foundations up to what people call: a room imports from those that stand before it in this list.
ROOMS = ["starting", "errors", "_version", "files", "progress", "backend", "randomness", "kernels", "arguments",
         "modes", "debugging", "writes", "operators", "tensor", "rows", "ops", "derivatives", "gradcheck", "graph",
         "verbs", "nn", "optim", "data", "training", "linear", "metrics", "autoencoders", "variational", "energy",
         "adversarial", "plotting", "tuning", "__init__", "grading", "lectures", "cli", "__main__"]

# What does not keep to the rules. These lists only become shorter: an entry that is needed no more fails.
AGAINST_THE_ORDER = {("minidl.lectures.runner", "cli")}                 # a lecture run as a script calls the command
FOR_TYPES_ALONE = {("minidl.operators", "tensor"), ("minidl.operators", "ops")}
SHARED_PRIVATE: set[tuple[str, str]] = set()

FOREIGN = {"cupy", "torch", "scipy", "sklearn"}
PRIVATE_IN_PYTHON = {"_replace", "_asdict", "_fields"}                  # the public methods of a NamedTuple


class Import(NamedTuple):
    name: str                      # a module, or a name within one
    of: str                        # the module or package that is imported
    types: bool                    # under TYPE_CHECKING
    late: bool                     # within a function


@functools.cache
def modules():
    """Every file of minidl, by the name under which it is imported."""
    return {".".join((package, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): file
            for package, folder in FOLDERS.items() for file in sorted(folder.rglob("*.py"))}


@functools.cache
def tree(module):
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


@functools.cache
def imports(module):
    found = []

    def visit(node, types, late):
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, alias.name, types, late) for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            name = getattr(node.args[0], "value", "?")
            found.append(Import(name, name, types, late))
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports {'.' * node.level}{node.module}; say minidl. ..."
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.append(Import(name, name if name in modules() else node.module, types, late))
        for field, value in ast.iter_fields(node):
            guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and field == "body"
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    visit(child, types or guarded, late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    visit(tree(module), False, False)
    return found


def room(module):
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def is_ours(module):
    return module.split(".")[0] == "minidl"


def against_the_order(types):
    return {(module, room(other.of)) for module in modules() for other in imports(module)
            if is_ours(other.of) and other.types == types and ROOMS.index(room(other.of)) > ROOMS.index(room(module))}


def test_every_file_stands_in_a_room():
    assert {room(module) for module in modules()} == set(ROOMS) and len(set(ROOMS)) == len(ROOMS)


def test_a_room_imports_from_rooms_above_it_and_never_from_those_below():
    assert against_the_order(types=False) == AGAINST_THE_ORDER
    assert against_the_order(types=True) == FOR_TYPES_ALONE


def test_within_a_room_imports_run_in_no_circle():
    graph = {module: {other.of for other in imports(module)
                      if not other.types and not other.late and other.of in modules() and other.of != module
                      and room(other.of) == room(module)} for module in modules()}
    list(graphlib.TopologicalSorter(graph).static_order())             # raises CycleError, which names the circle


def test_the_table_in_readme_is_the_order_and_complete():
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## The house")[1].split("\n## ")[0]
    cells = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    shown = [name.removeprefix("minidl/") for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    wanted = [f"{name}/" if (ROOT / "minidl" / name).is_dir() or (ROOT / name).is_dir() else f"{name}.py"
              for name in ROOMS]
    assert [name for name in shown if name not in ("assignments/", "tests/")] == wanted


def test_no_private_name_crosses_a_file():
    found = set()
    for module in modules():
        own = names_of(tree(module))
        found |= {(module, alias.name) for node in ast.walk(tree(module)) if isinstance(node, ast.ImportFrom)
                  if is_ours(node.module) for alias in node.names if is_private(alias.name)
                  and f"{node.module}.{alias.name}" not in modules()}
        found |= {(module, node.attr) for node in ast.walk(tree(module)) if isinstance(node, ast.Attribute)
                  if is_private(node.attr) and node.attr not in own | PRIVATE_IN_PYTHON
                  and not is_of_another_library(module, node.value)}
    assert found == SHARED_PRIVATE


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def names_of(node):
    """All names that a file defines: functions, classes, variables and attributes."""
    return {getattr(part, "name", None) or getattr(part, "id", None) or part.attr for part in ast.walk(node)
            if isinstance(part, ast.FunctionDef | ast.ClassDef)
            or isinstance(part, ast.Name | ast.Attribute) and isinstance(part.ctx, ast.Store)}


def is_of_another_library(module, value):
    """Whether `value` is a module such as sys, whose private names are not ours to judge."""
    return isinstance(value, ast.Name) and any(other.name == value.id and not is_ours(other.name)
                                               for other in imports(module))


def test_only_the_backend_imports_cupy_and_nothing_imports_what_is_not_installed():
    found = {(module, other.name.split(".")[0]) for module in modules() for other in imports(module)}
    assert {pair for pair in found if pair[1] in FOREIGN} == {("minidl.backend", "cupy")}
