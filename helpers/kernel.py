"""Does someone sit at this kernel, or does a program run the notebook?"""

import os


def attended() -> bool:
    """Tell whether a person runs this cell: a Jupyter kernel whose front end takes input.

    nbclient, and so papermill, runs cells without standard input. HEADLESS=1 says no as well.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    kernel = getattr(get_ipython(), "kernel", None)
    typed = getattr(kernel, "_allow_stdin", kernel is not None)
    return bool(typed) and os.environ.get("HEADLESS") != "1"
