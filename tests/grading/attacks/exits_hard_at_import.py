# Tries: to end the process while it is imported, past all handlers.
# Statuses: crashed
# Beside it: crashed
import os

os._exit(0)
