# Tries: to lift its limits, and then to use up the memory.
# Statuses: memory, crashed
# Without isolation: root has no limits, and the machine ends some process.
import resource


def centre(x):
    for name in dir(resource):
        if name.startswith("RLIMIT_"):
            try:
                resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
                print("LEAK: lifted", name) if name in ("RLIMIT_AS", "RLIMIT_NPROC") else None
            except (OSError, ValueError):
                pass
    return bytearray(1 << 40)
