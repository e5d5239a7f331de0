"""Hermes Desktop: the desktop application of Hermes Agent, with the same configuration."""

from __future__ import annotations

import re
from pathlib import Path

from puna.launch.integration import Integration, Kind, Launch, Order, has_flag
from puna.launch.integrations.hermes import (
    CONFIG,
    INSTALLER,
    URL,
    elsewhere,
    hermes_home,
    refresh,
)
from puna.launch.place import Place
from puna.launch.process import LaunchError

__all__ = ["INTEGRATION"]

OLDEST = (0, 16, 0)
OWN_BUILD = ("--skip-build", "--force-build", "--source", "--build-only", "--help", "-h")


def is_built(place: Place) -> bool:
    """Whether the application was built before."""
    given = place.variable("HERMES_INSTALL_DIR")
    roots = [
        *([Path(given)] if given else []),
        hermes_home(place) / "hermes-agent",
        Path("/usr/local/lib/hermes-agent"),
    ]
    patterns = ("mac*/Hermes.app/Contents/MacOS/Hermes", "linux-unpacked/[hH]ermes")
    return any(
        any((root / "apps" / "desktop" / "release").glob(pattern))
        for root in roots
        for pattern in patterns
    )


def arguments(order: Order) -> list[str]:
    """It is not built again unless the user wants that."""
    before_dashes = order.extra[: order.extra.index("--")] if "--" in order.extra else order.extra
    skip = is_built(order.place) and not has_flag(before_dashes, *OWN_BUILD)
    return ["desktop", *(["--skip-build"] if skip else []), *order.extra]


def prepare(launch: Launch) -> Order:
    """Older versions have no desktop application: they are brought up to date."""
    version = re.search(r"\bv(\d+)\.(\d+)\.(\d+)", launch.output("--version"))
    if version is not None and tuple(map(int, version.groups())) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        launch.console.say(f"Hermes {version[0]} is older than {oldest}; updating...")
        if launch.run("update"):
            raise LaunchError(f"failed to update hermes to {oldest} or newer")
    return launch.order


INTEGRATION = Integration(
    name="hermes-desktop",
    title="Hermes Desktop",
    about="Desktop app for Hermes Agent by Nous Research",
    kind=Kind.MANAGED,
    program="hermes",
    elsewhere=elsewhere,
    url=URL,
    installer=INSTALLER,
    arguments=arguments,
    files=(CONFIG,),
    after_setup=refresh,
    prepare=prepare,
)
