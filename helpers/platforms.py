"""Prepare Colab and Kaggle: what the bootstrap cell of every notebook calls. Standard library only."""

import os
import sys


def platform_name() -> str:
    """Return "colab", "kaggle" or "laptop"."""
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "laptop"
