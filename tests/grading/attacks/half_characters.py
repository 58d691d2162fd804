# Tries: text that cannot be written in UTF-8, in its output, name and message.
# Statuses: error
import os


def centre(x):
    os.write(1, b"\xff\xfe\xed\xa0\x80" * 100)
    print("\ud800\udfff")
    raise ValueError("\ud800")
