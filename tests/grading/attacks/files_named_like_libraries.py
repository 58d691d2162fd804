# Tries: to be imported in the place of NumPy, the standard library and the worker's own files.
# Statuses: failed
FILES = {
    "numpy.py": "import os; os._exit(0)",
    "codec.py": "import os; os._exit(0)",
    "confine.py": "import os; os._exit(0)",
    "worker.py": "import os; os._exit(0)",
    "json.py": "import os; os._exit(0)",
    "traceback.py": "import os; os._exit(0)",
    "linecache.py": "import os; os._exit(0)",
    "colorsys.py": "import os; os._exit(0)",
    "minidl/__init__.py": "import os; os._exit(0)",
}


def centre(x):
    import colorsys
    import json
    import linecache
    import traceback

    assert all("submission" not in module.__file__ for module in (colorsys, json, linecache, traceback))
    return x
