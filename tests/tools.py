"""helm and kubectl for the tests, as ``fleet tools install`` puts them in place."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from fleet.render.tools import find_tools, install_tools
from tests.cluster.build import cache_folder
from tests.keeper import locked


def tools_home() -> Path:
    """A home whose ``tools`` folder holds the pinned programs; downloaded once a machine.

    May be called from anywhere, a running event loop included.
    """
    home = cache_folder()
    with locked(home / "tools.lock"):
        tools = find_tools(home)
        if {tools.helm.origin, tools.kubectl.origin} != {"installed"}:
            installer = threading.Thread(target=lambda: asyncio.run(install_tools(home)))
            installer.start()
            installer.join()
    return home
