"""QIVD: somebody does something before a camera, and asks about it aloud."""
