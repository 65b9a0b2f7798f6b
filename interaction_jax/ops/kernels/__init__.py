"""Kernels for one platform, each with an operation of `ops` as its twin."""
