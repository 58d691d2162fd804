# Tries: to leave with code 0 while it is imported, so that the run seems to have ended well.
# Statuses: error
# Beside it: error
import sys

sys.exit(0)
