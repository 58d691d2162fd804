"""CANARY-7b1f: nobody who is graded ever sees this line."""


def centre(x):
    # BEGIN SOLUTION task=1
    return x - x.mean(axis=0)
    # END SOLUTION


def total(x):
    # BEGIN SOLUTION task=2
    return float(x.sum())
    # END SOLUTION
