"""The lectures: one file for each run of slides, readable as text, as a script, and as a notebook."""
