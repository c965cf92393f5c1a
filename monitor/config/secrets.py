"""References to secrets, `env:NAME` and `file:PATH`, become what they name.

Every secret found is registered, so that nothing that is written shows it. Errors name the
reference, never the value.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.addresses import has_login, port_fault, secrets_in, with_login
from monitor.config.checks import REFERENCE, address_faults, is_reference
from monitor.config.problems import ConfigError
from monitor.config.redacting import Registry
from monitor.config.settings import CameraSettings, NoticeSettings, Settings

LONGEST = 65_536  # bytes of a secret's file: a key has some thousand


@dataclass
class Resolver:
    """Resolves references, and gathers what went wrong and what should be said."""

    registry: Registry
    environment: Mapping[str, str]
    lines: list[str] = field(default_factory=list)  # that prevent a start
    warnings: list[str] = field(default_factory=list)

    def value(self, text: str, where: str, *, secret: bool = True) -> str:
        """What a reference names; other texts as they are. Failures are noted, and give ""."""
        named = REFERENCE.fullmatch(text)
        if named is None:
            return text
        found = self._env(named[2], where) if named[1] == "env" else self._file(named[2], where)
        if found and secret:
            self.registry.add(found)
        return found

    def _env(self, name: str, where: str) -> str:
        found = self.environment.get(name, "")
        if not found:
            state = "empty" if name in self.environment else "not set"
            self.lines.append(f"{where}: env:{name}: the environment variable is {state}")
        return found

    def _file(self, name: str, where: str) -> str:
        path = Path(os.path.expandvars(name))
        try:
            with path.open("rb") as file:
                content = file.read(LONGEST + 1)
                mode = os.fstat(file.fileno()).st_mode
            found = content.decode().rstrip("\r\n")
        except OSError as error:
            self.lines.append(f"{where}: file:{name}: {error.strerror or 'cannot be read'}")
            return ""
        except UnicodeDecodeError:
            self.lines.append(f"{where}: file:{name}: is not text in UTF-8")
            return ""
        if not found or len(content) > LONGEST:
            state = "empty" if not found else f"over {LONGEST} bytes: this is no secret"
            self.lines.append(f"{where}: file:{name}: is {state}")
            return ""
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            self.warnings.append(f"{where}: file:{name}: everyone may read it; chmod 600 it")
        return found


def resolve(
    settings: Settings, registry: Registry, environment: Mapping[str, str] | None = None
) -> tuple[Settings, list[str]]:
    """Settings with secrets in place of references, and warnings, one line each.

    Every secret and every address is registered. A camera's user and password are then in its
    addresses, and empty.

    Raises:
        ConfigError: A reference leads nowhere; one line for each.
    """
    resolver = Resolver(registry, os.environ if environment is None else environment)
    api = settings.api
    roles = ("viewers", "operators", "admins")
    tokens = {
        role: [resolver.value(token, f"[api]: {role}") for token in getattr(api, role)]
        for role in roles
    }
    store = resolver.value(settings.engine.store, "[engine]: store")
    registry.add_address(store)
    if not is_reference(settings.engine.store) and secrets_in(settings.engine.store):
        resolver.warnings.append(
            "[engine]: store: a password stands in the file; give the whole URL as a reference, "
            "env:NAME or file:PATH"
        )
    resolved = settings.model_copy(
        update={
            "engine": settings.engine.model_copy(update={"store": store}),
            "api": api.model_copy(update=tokens),
            "camera": [_camera(camera, resolver) for camera in settings.camera],
            "notice": [
                _notice(notice, number, resolver)
                for number, notice in enumerate(settings.notice, 1)
            ],
        }
    )
    if resolver.lines:
        raise ConfigError(resolver.lines)
    return resolved, resolver.warnings


def _camera(camera: CameraSettings, resolver: Resolver) -> CameraSettings:
    where = f'camera "{camera.name}"'
    user = resolver.value(camera.user, f"{where}: user", secret=False)
    password = resolver.value(camera.password, f"{where}: password")
    values = {"user": "", "password": ""}
    for key in ("url", "analysis_url"):
        written: str = getattr(camera, key)
        url = resolver.value(written, f"{where}: {key}", secret=False)
        if url and user and has_login(url):
            resolver.lines.append(
                f"{where}: {key}: has a user of its own, and user is given too: keep one"
            )
        elif "://" in url:
            url = with_login(url, user, password)
        elif url and user:
            resolver.lines.append(f"{where}: user: only addresses such as rtsp:// have users")
        resolver.registry.add_address(url)
        resolver.lines += [f"{where}: {key}: {fault}" for fault in address_faults(url)]
        if not is_reference(written) and secrets_in(written):
            resolver.warnings.append(
                f"{where}: {key}: a password stands in the file; give user and password as "
                "references, env:NAME or file:PATH"
            )
        values[key] = url
    return camera.model_copy(update=values)


def _notice(notice: NoticeSettings, number: int, resolver: Resolver) -> NoticeSettings:
    where = f"notice {number} ({notice.kind})"
    url = resolver.value(notice.url, f"{where}: url", secret=False)
    resolver.registry.add_address(url, path_too=is_reference(notice.url))
    if notice.kind in ("webhook", "mqtt") and (fault := port_fault(url)):
        resolver.lines.append(f"{where}: url: {fault}")
    if not is_reference(notice.url) and secrets_in(notice.url):
        resolver.warnings.append(
            f"{where}: url: a password stands in the file; give the whole url as a reference"
        )
    values = {
        "url": url,
        "secret": resolver.value(notice.secret, f"{where}: secret"),
        "user": resolver.value(notice.user, f"{where}: user", secret=False),
    }
    return notice.model_copy(update=values)
