"""Where a submission's code runs: confined to a worker when it is graded, in this process for `minidl check`."""
