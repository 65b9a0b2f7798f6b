"""Recordings of other projects into folders of records."""
