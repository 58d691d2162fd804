# Tries: never to be loaded.
# Statuses: timeout
# Seconds: 0.8
# Beside it: timeout
while True:
    pass
