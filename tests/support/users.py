"""Other users than root, who may read and write everything."""

from __future__ import annotations

import codecs
import os
import traceback
from collections.abc import Callable


def as_a_user_without_rights(action: Callable[[], str]) -> str:
    """What it returns in a process of a user who owns nothing: root may read everything."""
    for name in ("utf-8-sig", "utf-16"):  # that user may not even read where Python keeps its codecs
        codecs.lookup(name)
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgid(65_534)
                os.setuid(65_534)
            said = action()
        except BaseException:  # noqa: BLE001
            said = traceback.format_exc()
        os.write(writer, said.encode())
        os._exit(0)  # whatever came: a second copy of this test must not go on
    os.close(writer)
    with open(reader) as said:  # noqa: PTH123 - a descriptor, not a path
        text = said.read()
    assert os.waitpid(child, 0)[1] == 0
    return text
