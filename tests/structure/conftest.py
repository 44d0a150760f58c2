"""The toy course, for the tests of the tools."""

from tests.course import finished, toy

__all__ = ["finished", "toy"]
