"""Opening a session with a registry, or the Hugging Face Hub: as whom we speak to it."""

from __future__ import annotations

from puna.config import Settings
from puna.models.name import Name
from puna.models.registry.auth import Authority, Credentials
from puna.models.registry.credentials import read_credentials
from puna.models.registry.hub import HOME, Hub, is_hub
from puna.models.registry.origin import Registry, origin_of
from puna.models.registry.session import Session
from puna.threads import in_thread

__all__ = ["Registries"]


class Registries:
    """Opens sessions."""

    def __init__(self, authority: Authority, settings: Settings) -> None:
        self._authority = authority
        self._endpoint = settings.hf_endpoint
        self._token = settings.hf_token
        self._config = settings.docker_config.expanduser() / "config.json"

    async def session(
        self, name: Name, registry: Registry, user: str = "", password: str = ""
    ) -> Session:
        """Speak to a registry about one model: with this name and password, or those on record."""
        if user or password:
            credentials: Credentials | None = Credentials(user, password)
        else:
            credentials = await in_thread(read_credentials, self._config, registry)
        return Session(self._authority, registry, name, credentials)

    def is_hub(self, name: Name) -> bool:
        """Whether a model of this name is to be had from the Hugging Face Hub."""
        return is_hub(name, self._endpoint)

    def knows_us_by_key(self, name: Name) -> bool:
        """Whether the Hub may be asked as a registry: it is no mirror, and we have no token."""
        host = name.host.lower()
        is_home = host == origin_of(self._endpoint).authority or self._endpoint == HOME
        return is_home and not self._token

    def hub(self, name: Name, *, insecure: bool) -> Hub:
        """The repository of the Hub that a name means, read with the token from the settings."""
        return Hub(self._authority, self._endpoint, name, self._token, verify=not insecure)
