"""The share that the X-ray machine writes its jobs to: Samba, an account for the machine, the right group and modes."""

from __future__ import annotations

import grp
import pwd
import re
from pathlib import Path

from edge.core.errors import ConfigError, UsageError
from edge.files import read_plain, write_durably
from edge.setup.programs import require, run

TEMPLATE = Path(__file__).parents[2] / "firmware_cfg" / "share" / "axi-edge.conf"
GROUP = "axi-edge"
_MAIN, _OWN = "smb.conf", "axi-edge.conf"
_LONGEST = 1024


def give_share(user: str, password_file: Path, spool: Path, samba: Path = Path("/etc/samba")) -> Path:
    """Make the account where there is none, give it that password, and write the share. The file that was written.

    Raises UsageError for a name that is none, ConfigError for all else: Samba or the group are missing, the password
    cannot be read.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", user):
        raise UsageError(
            f"--user: {user!r}: small letters, digits, hyphens and underscores; name the machine's account so"
        )
    require("smbd", "samba")
    password = _password(password_file)
    _require_group()
    _account(user)
    run(["smbpasswd", "-s", "-a", user], said=f"{password}\n{password}\n")
    own = samba / _OWN
    write_durably(own, _share(user, spool).encode())
    _include(samba / _MAIN, own)
    run(["testparm", "--suppress-prompt", str(samba / _MAIN)])
    return own


def _password(path: Path) -> str:
    try:
        lines = read_plain(path, _LONGEST).decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--password-file: {path}: {error}; name a readable text file") from error
    if not lines or not lines[0]:
        raise ConfigError(f"--password-file: {path}: empty; its first line is the password")
    return lines[0]


def _require_group() -> None:
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        raise ConfigError(f"{GROUP}: no such group here; install axi-edge first") from None


def _account(user: str) -> None:
    """That may log in nowhere, in the daemon's group: else it could not reach the spool."""
    try:
        there = pwd.getpwnam(user)
    except KeyError:
        run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "--groups", GROUP, user])
        return
    if there.pw_uid == 0:
        raise UsageError(f"--user: {user}: root writes no jobs; name an account for the machine")
    run(["usermod", "--append", "--groups", GROUP, user])


def _share(user: str, spool: Path) -> str:
    text = TEMPLATE.read_text("utf-8").replace("{user}", user)
    return text.replace("/var/spool/axi-edge/incoming", str(spool / "incoming"))


def _include(main: Path, own: Path) -> None:
    line = f"include = {own}"
    try:
        text = main.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{main}: {error}; make it a readable text in UTF-8, or install samba anew") from error
    if line not in (each.strip() for each in text.splitlines()):
        # At the end, in [global] opened once more: what followed would be taken for a part of the share.
        write_durably(main, f"{text.rstrip()}\n\n[global]\n   {line}\n".encode(), main.stat().st_mode & 0o777)
