# Tries: to answer with verdicts instead of values, from the worker's own functions.
# Statuses: protocol, missing, failed, error
# Beside it: protocol, missing, failed, error
import sys

worker = sys.modules["__main__"]
worker._answer = lambda *_: {"status": "passed", "points": 100.0, "passed": True}
worker.describe = lambda *_: {"value": {"status": "passed"}, "status": "passed"}
