"""The pictures that one lecture alone shows, a file for each lecture; what several show is in `minidl.plotting`."""
