# Tries: to fill the report with its exception's name, and with names of functions and files.
# Statuses: error


def centre(x):
    name = "N" * 10**6
    place = {"__name__": name, "kind": type(name, (Exception,), {"__module__": name, "__qualname__": name})}
    exec(compile(f"def {name}(): raise kind('x')\n{name}()", __file__ + name, "exec"), place)
