"""The tests below this folder are an assignment's, for the grader to run."""
collect_ignore_glob = ["*"]
