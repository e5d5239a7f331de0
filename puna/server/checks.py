"""Who may call: browser origins and the Host header, before any routing.

Facts: API spec, 1.7 and 1.8. The rules are values and the judgements pure; `Guard` puts them in
front of the app.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from puna.errors import PunaError, quoted

__all__ = [
    "Guard",
    "HostRules",
    "IPAddress",
    "OriginRules",
    "Verdict",
    "adding",
    "judge_host",
    "judge_origin",
    "parse_origins",
]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Headers = tuple[tuple[bytes, bytes], ...]

_LOCAL_NAMES = ("localhost", "127.0.0.1", "0.0.0.0")
BUILT_IN = (
    *(
        f"{scheme}://{name}{port}"
        for name in _LOCAL_NAMES
        for port in ("", ":*")
        for scheme in ("http", "https")
    ),
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
    "vscode-file://*",
)

SCHEMES = (
    "http://",
    "https://",
    "chrome-extension://",
    "safari-extension://",
    "moz-extension://",
    "ms-browser-extension://",
)

_STAINLESS = (
    "Arch,Async,Custom-Poll-Interval,Helper-Method,Lang,Os,Package-Version,Poll-Helper,"
    "Retry-Count,Runtime,Runtime-Version,Timeout"
)
_ALLOWED_HEADERS = ",".join(
    [
        "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta",
        "X-Api-Key,Anthropic-Version,Anthropic-Beta,Anthropic-Dangerous-Direct-Browser-Access",
        *(f"X-Stainless-{name}" for name in _STAINLESS.split(",")),
    ]
)
_PREFLIGHT: Headers = (
    (b"access-control-allow-methods", b"GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    (b"access-control-allow-headers", _ALLOWED_HEADERS.encode()),
    (b"access-control-max-age", b"43200"),
)
_VARY_ORIGIN = (b"vary", b"Origin")
_VARY_PREFLIGHT: Headers = (
    (b"vary", b"Access-Control-Request-Method"),
    (b"vary", b"Access-Control-Request-Headers"),
)


@dataclass(frozen=True, slots=True)
class OriginRules:
    """Which origins may call. `affixes` are the two sides of a `*`."""

    exact: frozenset[str]
    affixes: tuple[tuple[str, str], ...]
    everyone: bool

    def allows(self, origin: str) -> bool:
        """Whether a page from `origin` may call."""
        return (
            self.everyone
            or origin in self.exact
            or any(_lies_between(origin, *sides) for sides in self.affixes)
        )


def _lies_between(text: str, prefix: str, suffix: str) -> bool:
    fits = text.startswith(prefix) and text.endswith(suffix)
    return fits and len(text) >= len(prefix) + len(suffix)


def parse_origins(entries: Sequence[str]) -> OriginRules:
    """Read the entries of OLLAMA_ORIGINS and add the built-in ones.

    Raises PunaError for one that cannot be meant.
    """
    for entry in entries:
        if entry.count("*") > 1:
            raise PunaError(f"OLLAMA_ORIGINS: only one * is allowed in {quoted(entry)}")
        if "*" not in entry and not entry.startswith(SCHEMES):
            known = ", ".join(SCHEMES)
            raise PunaError(
                f"OLLAMA_ORIGINS: bad origin {quoted(entry)}: "
                f"origins must contain '*' or start with one of {known}"
            )
    exact: set[str] = set()
    affixes: list[tuple[str, str]] = []
    for entry in (*entries, *BUILT_IN):
        prefix, star, suffix = entry.partition("*")
        if star:
            affixes.append((prefix, suffix))
        else:
            exact.add(entry.lower())
    return OriginRules(frozenset(exact), tuple(affixes), everyone="*" in entries)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says: answer at once with `status` (None: go on), and add `headers`."""

    status: int | None = None
    headers: Headers = ()


def judge_origin(rules: OriginRules, method: str, origin: str, host: str) -> Verdict:
    """Judge a request by its Origin and Host headers (empty when absent)."""
    if not origin or origin in {f"http://{host}", f"https://{host}"}:
        return Verdict()
    if not rules.allows(origin):
        return Verdict(403)
    is_preflight = method == "OPTIONS"
    if rules.everyone:
        headers: Headers = ((b"access-control-allow-origin", b"*"),)
        return Verdict(204, headers + _PREFLIGHT) if is_preflight else Verdict(None, headers)
    headers = ((b"access-control-allow-origin", origin.encode("latin-1")), _VARY_ORIGIN)
    if is_preflight:
        return Verdict(204, headers + _VARY_PREFLIGHT + _PREFLIGHT)
    return Verdict(None, headers)


@dataclass(frozen=True, slots=True)
class HostRules:
    """Which Host headers are ours.

    A page whose name was rebound to this machine sends its own name there.
    """

    checked: bool
    """Whether the listener is on loopback. On other addresses only browsers are asked for a name
    of ours, and addresses are fine: no page can rebind those."""
    hostname: str
    is_local: Callable[[IPAddress], bool]
    """Whether an address belongs to an interface of this machine."""
    names: frozenset[str] = frozenset()
    """Further names of ours, in lower case; `*` for all."""


_PRIVATE = [
    ipaddress.ip_network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]


def judge_host(rules: HostRules, method: str, host: str, *, is_browser: bool) -> Verdict:
    """Judge a request by its Host header.

    Names that are ours are answered at once on OPTIONS, addresses are not.
    """
    name = _without_port(host).lower()
    if not rules.checked:
        return Verdict(403) if is_browser and _may_be_rebound(name, rules) else Verdict()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        if not _is_own_name(name, rules):
            return Verdict(403)
        return Verdict(204) if method == "OPTIONS" else Verdict()
    return Verdict() if _is_own_address(address, rules) else Verdict(403)


def _may_be_rebound(name: str, rules: HostRules) -> bool:
    """Whether somebody else may own the name: one without a dot is of this network."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." in name and not _is_own_name(name, rules)
    return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, _ = host.rpartition(":")
    return name if colon and ":" not in name else host


def _is_own_name(name: str, rules: HostRules) -> bool:
    return (
        name in {"", "localhost", rules.hostname.lower()}
        or name.endswith((".localhost", ".local", ".internal"))
        or not rules.names.isdisjoint({name, "*"})
    )


_BROWSER_HEADERS = (b"origin", b"referer", b"cookie")


def _is_browser(scope: Scope) -> bool:
    """Whether a page may have made the request: programs seldom look like one, browsers always."""
    return any(
        key in _BROWSER_HEADERS
        or key.startswith(b"sec-")
        or (key == b"user-agent" and value.startswith(b"Mozilla/"))
        for key, value in scope["headers"]
    )


def _is_own_address(address: IPAddress, rules: HostRules) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return (
        address.is_loopback
        or address.is_unspecified
        or any(address in net for net in _PRIVATE)
        or rules.is_local(address)
    )


class Guard:
    """Puts both checks in front of an app; origins first."""

    def __init__(self, app: ASGIApp, origins: OriginRules, hosts: HostRules) -> None:
        self._app = app
        self._origins = origins
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, answer a preflight, or pass the request on."""
        method: str = scope["method"]
        origin, host = _header(scope, b"origin"), _header(scope, b"host")
        verdict = judge_origin(self._origins, method, origin, host)
        headers = verdict.headers
        if verdict.status is None:
            verdict = judge_host(self._hosts, method, host, is_browser=_is_browser(scope))
        if verdict.status is None:
            await self._app(scope, receive, adding(headers, send) if headers else send)
            return
        if verdict.status != 204:
            headers += ((b"content-length", b"0"),)
        start = {"type": "http.response.start", "status": verdict.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": b""})


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def adding(headers: Headers, send: Send) -> Send:
    """A `send` that adds headers to the answer."""

    def pass_on(message: Message) -> Awaitable[None]:
        # not a coroutine of its own: this runs once per token
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        return send(message)

    return pass_on
