"""Collections of cyclic garbage are paused while a command starts, and only then."""

import gc
import subprocess
import sys

from gmdwgf.launch.collections import paused_collections, resume_collections


def test_collections_are_off_until_they_are_resumed():
    with paused_collections():
        before = gc.isenabled()
        resume_collections()
        after = gc.isenabled()
    gc.unfreeze()
    assert (before, after, gc.isenabled()) == (False, True, True)


def test_an_error_at_the_start_switches_them_on_again():
    try:
        with paused_collections():
            raise ValueError
    except ValueError:
        pass
    assert gc.isenabled()


def test_nothing_is_excluded_where_they_were_not_paused():
    code = "import gc; from gmdwgf.launch.collections import *; resume_collections(); assert gc.get_freeze_count() == 0"
    subprocess.run([sys.executable, "-c", code], check=True)
