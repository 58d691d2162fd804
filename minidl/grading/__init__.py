"""The autograder: untrusted code runs in processes of its own and returns data; verdicts are made elsewhere."""
