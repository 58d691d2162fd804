# Tries: an exception that cannot be described: its text, its name, its class and its traceback all raise.
# Statuses: error


class Meta(type):
    @property
    def __name__(cls):
        raise SystemExit("no name")

    def __instancecheck__(cls, _):
        raise SystemExit("no instance")


class Shy(BaseException, metaclass=Meta):
    def __str__(self):
        raise SystemExit("no text")

    __repr__ = __str__

    @property
    def __class__(self):
        raise SystemExit("no class")

    def __getattribute__(self, name):
        raise SystemExit("no " + name)


def centre(x):
    raise Shy
