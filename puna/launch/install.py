"""Getting a program that is not there: by its vendor's installer, if the user agrees, or by a word
on where to find it.
"""

from __future__ import annotations

from pathlib import Path

from puna.launch.integration import Console, Integration
from puna.launch.place import Place
from puna.launch.process import LaunchError, run_program

__all__ = ["ensure_installed", "ensure_supported", "systems"]

SYSTEMS = {"darwin": "macOS", "linux": "Linux", "win32": "Windows"}


def ensure_supported(integration: Integration, place: Place) -> None:
    """Raise LaunchError if the integration is not for this system."""
    if integration.is_for(place.system):
        return
    raise LaunchError(f"{integration.title} launch is only supported on {systems(integration)}")


def systems(integration: Integration) -> str:
    """The systems that an integration is for, in words."""
    return " and ".join(SYSTEMS.get(name, name) for name in integration.systems)


def ensure_installed(integration: Integration, place: Place, console: Console) -> Path:
    """Where the program is, installed now if need be. Raises LaunchError if it is not."""
    ensure_supported(integration, place)
    found = integration.find(place)
    if found is not None:
        return found
    if integration.installer is None:
        if integration.url:
            raise LaunchError(
                f"{integration.name} is not installed, install from {integration.url}"
            )
        raise LaunchError(
            f"{integration.name} is not installed, install with: {integration.install_command}"
        )
    _install(integration, place, console)
    found = integration.find(place)
    if found is None:
        raise LaunchError(
            f"{integration.name} was installed but the binary was not found on PATH: "
            "you may need to restart your shell"
        )
    console.say(f"{integration.title} installed successfully\n")
    return found


def _install(integration: Integration, place: Place, console: Console) -> None:
    installer = integration.installer
    if installer is None:
        return
    missing = [f"  {name}: {url}" for name, url in installer.needs if place.find(name) is None]
    if missing:
        lines = [
            f"{integration.name} is not installed and required dependencies are missing",
            "",
            "Install the following first:",
            *missing,
            "",
            "Then re-run:",
            f"  puna launch {integration.name}",
        ]
        raise LaunchError("\n".join(lines))
    if not console.ask(installer.question.format(title=integration.title)):
        raise LaunchError(f"{integration.name} installation cancelled")
    console.say(f"\nInstalling {integration.title}...")
    status = run_program(installer.words, place.environ)
    if status:
        raise LaunchError(f"failed to install {integration.name}: exit status {status}")
