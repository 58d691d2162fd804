# Tries: to get past `except Exception` with an exception of its own at import.
# Statuses: error
# Beside it: error


class Uncaught(BaseException):
    pass


raise Uncaught
