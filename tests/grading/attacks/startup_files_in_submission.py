# Tries: to run code in the grader when an interpreter starts beside it.
# Statuses: failed
FILES = {
    "sitecustomize.py": "import os; os._exit(0)",
    "usercustomize.py": "import os; os._exit(0)",
    "attack.pth": "import os; os._exit(0)",
    "python311._pth": "import site",
    "pyvenv.cfg": "home = /nowhere",
    "__init__.py": "import os; os._exit(0)",
    "__main__.py": "import os; os._exit(0)",
}


def centre(x):
    return x
