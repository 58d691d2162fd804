# Tries: to take the grader's processor time, memory and files away, by limits, priorities and affinities.
# Statuses: failed
# Without isolation: it can end the grader so.
import os
import resource


def centre(x):
    grader = os.getppid()
    for attempt in (lambda: resource.prlimit(grader, resource.RLIMIT_CPU, (0, 0)),
                    lambda: resource.prlimit(grader, resource.RLIMIT_AS, (0, 0)),
                    lambda: resource.prlimit(grader, resource.RLIMIT_FSIZE, (0, 0)),
                    lambda: os.setpriority(os.PRIO_PROCESS, grader, 19),
                    lambda: os.sched_setscheduler(grader, os.SCHED_IDLE, os.sched_param(0)),
                    lambda: os.sched_setaffinity(grader, {0})):
        try:
            attempt()
            print("LEAK: the grader was limited")
        except OSError:
            pass
    return x
