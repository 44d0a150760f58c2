"""The toy course, for the tests of the runner."""

from tests.course import toy

__all__ = ["toy"]
