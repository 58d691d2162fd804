"""`python -m minidl lecture 17` is `minidl lecture 17`."""
import sys

from minidl.cli import main

sys.exit(main())
