"""``axi-edge licence``: who may be released, on what evidence; and what people decide about that."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import msgspec

from edge.adapters.host import utc_now
from edge.adapters.journal.licences import JournalLicences
from edge.adapters.journal.view import licences
from edge.bundle.format import open_bundle
from edge.commands import Commands, add_config, own_journal, shown, user_name
from edge.config import Settings, load_settings
from edge.core.card import ModelCard
from edge.core.decide import supported
from edge.core.errors import BundleRefused, ConfigError, UsageError
from edge.core.licence import Act, Deed, State
from edge.core.payloads import LicencePayload
from edge.feedback.ports import ActHeld, Key
from edge.feedback.telling import readable

_BOARD_TYPE = "as the jobs name it"


def add_licence(commands: Commands) -> None:
    licence = commands.add_parser("licence", help="which board types have earned release, and on what evidence")
    actions = licence.add_subparsers(required=True, metavar="list|show|suspend|grant")
    listed = actions.add_parser("list", help="every board type, a line each")
    add_config(listed)
    listed.add_argument("--json", action="store_true", help="as they were published, a line each")
    listed.set_defaults(action=_list)
    show = actions.add_parser("show", help="all that is known of one board type")
    _add_place(show)
    show.set_defaults(action=_show)
    suspend = actions.add_parser("suspend", help="release nothing more of a board type, until that is lifted")
    _add_place(suspend)
    _add_words(suspend)
    suspend.add_argument("--lift", action="store_true", help="let it earn its release again, from the beginning")
    suspend.set_defaults(action=_suspend)
    grant = actions.add_parser("grant", help="release without evidence, on your own word; it is marked everywhere")
    _add_place(grant)
    _add_words(grant)
    grant.add_argument("--point", required=True, metavar="NAME", help="operating point of the bundle to release by")
    grant.set_defaults(action=_grant)


def _add_place(command: argparse.ArgumentParser) -> None:
    add_config(command)
    command.add_argument("board_type", metavar="BOARD_TYPE", help=_BOARD_TYPE)
    command.add_argument("--joint-type", metavar="TYPE", help=f"{_BOARD_TYPE}; without it, every joint type")


def _add_words(command: argparse.ArgumentParser) -> None:
    command.add_argument("--reason", required=True, help="why; it is kept, and published")
    command.add_argument("--unknown", action="store_true", help="also a type that no licence is known of yet")
    command.add_argument("--by", default=None, metavar="NAME", help="who decided; without it, the user's name here")


def _list(arguments: argparse.Namespace) -> int:
    found = _known(load_settings(arguments.config))
    for licence in found:
        print(msgspec.json.encode(licence).decode() if arguments.json else in_a_line(licence))
    if not found and not arguments.json:
        print("no board type is known yet; the daemon says of each what it has earned, once it has judged one")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    """1 where nothing is known of it."""
    wanted = arguments.joint_type
    known = _known(load_settings(arguments.config))
    found = [one for one in known if one.board_type == arguments.board_type and wanted in {None, one.joint_type}]
    if not found:
        names = ", ".join(sorted({f"{one.board_type} {one.joint_type}" for one in known})) or "none"
        what = f"{wanted} of board type" if wanted else "board type"
        print(shown(f"nothing is known of {what} {arguments.board_type}; known are: {names}"))
    else:
        print("\n\n".join(as_text(licence) for licence in found))
    return int(not found)


def _suspend(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    deed = Deed.LIFT if arguments.lift else Deed.SUSPEND
    act = ActHeld(arguments.board_type, arguments.joint_type, None, _act(arguments, deed))
    _require_usable(settings)
    concerned = _concerned(settings, act, insists=arguments.unknown)
    if concerned is None:
        return 1
    if arguments.lift and concerned and not any(one.state is State.SUSPENDED for one in concerned):
        states = ", ".join(f"{one.board_type} {one.joint_type} is {one.state.value}" for one in concerned)
        print(shown(f"nothing was done: {states}, and nothing of it is suspended"))
        return 1
    _enter(settings, act)
    done = "may earn its release again" if arguments.lift else "is suspended, until you lift that (--lift)"
    print(shown(f"board type {arguments.board_type} {done}; a running daemon takes it up within seconds"))
    return 0


def _concerned(settings: Settings, act: ActHeld, *, insists: bool) -> list[LicencePayload] | None:
    """Licences that an act is about. None, and said, where there is none, unless somebody ``insists``: a name may be
    misspelt.
    """
    known = _known(settings)
    anybodys = act._replace(digest=None)  # a licence of another bundle tells as well that there is such a type
    found = [one for one in known if anybodys.concerns(Key(one.board_type, one.joint_type, ""))]
    if not found and not insists:
        names = ", ".join(f"{one.board_type} {one.joint_type}" for one in known) or "none"
        what = " ".join(filter(None, (act.board_type, act.joint_type)))
        print(shown(f"nothing was done: no licence of {what} is known; known are: {names}; or insist with --unknown"))
        return None
    return found


def _grant(arguments: argparse.Namespace) -> int:
    settings = load_settings(arguments.config)
    joint_type = arguments.joint_type or _only_type(settings)
    digest, card, limit = _bundle_for(settings, joint_type)
    _require_usable(settings)
    names = [rule.name for rule in card.rules(limit)]
    if arguments.point not in names:
        raise UsageError(f"--point {arguments.point}: {card.name} {card.version} offers {', '.join(names)}")
    act = ActHeld(arguments.board_type, joint_type, digest, _act(arguments, Deed.GRANT, arguments.point))
    if _concerned(settings, act, insists=arguments.unknown) is None:
        return 1
    _enter(settings, act)
    what = "would be" if settings.release.policy == "advise" else "are"
    print(
        shown(
            f"{joint_type} joints of board type {arguments.board_type} {what} released by {arguments.point}, on your "
            "word, until evidence turns against it; a running daemon takes it up within seconds"
        )
    )
    return 0


def _act(arguments: argparse.Namespace, deed: Deed, point: str = "") -> Act:
    if not arguments.board_type or not arguments.reason.strip():
        raise UsageError("BOARD_TYPE and --reason must say something")
    return Act(deed, arguments.by or user_name(os.geteuid()), arguments.reason.strip(), point)


def _require_usable(settings: Settings) -> None:
    if settings.release.policy == "card":
        raise ConfigError('[release] policy is "card": joints are released on the card\'s word, whatever licences say')
    own_journal(settings)


def _enter(settings: Settings, act: ActHeld) -> None:
    book = JournalLicences(Path(settings.journal.path))
    try:
        book.enter([act], utc_now())
    finally:
        book.close()


def _only_type(settings: Settings) -> str:
    card = open_bundle(Path(settings.model.bundle)).card
    if settings.model.routes or len(card.joint_types) != 1:
        raise UsageError("several joint types are judged here; name one with --joint-type")
    return card.joint_types[0]


def _bundle_for(settings: Settings, joint_type: str) -> tuple[str, ModelCard, str]:
    """Digest and card of the bundle that judges a joint type, and the most permissive point that is configured."""
    wanted = joint_type.casefold()
    route = next((route for kind, route in settings.model.routes.items() if kind.casefold() == wanted), settings.model)
    bundle = open_bundle(Path(route.bundle))
    if not supported(joint_type, bundle.card.joint_types):
        raise BundleRefused(f"{route.bundle}: judges no {joint_type} but {', '.join(bundle.card.joint_types)}")
    return bundle.reference.digest, bundle.card, route.operating_point


def _known(settings: Settings) -> list[LicencePayload]:
    said = licences(Path(settings.journal.path))
    return list(readable(dict(enumerate(said))).values())


def in_a_line(licence: LicencePayload) -> str:
    """For a person at a terminal."""
    said = _releases(licence) if licence.state is State.LICENSED else licence.reason or _way(licence)
    place = f"{flat(licence.board_type):<16} {flat(licence.joint_type):<8}"
    return shown(f"{place} {licence.state.value:<10} {flat(said)}")


def flat(text: str) -> str:
    """On one line."""
    return " ".join(text.split())


def _releases(licence: LicencePayload) -> str:
    if licence.by == "hand":
        return f"by hand, {licence.operating_point}: {licence.reason}"
    return f"{licence.operating_point}, at most {licence.escape_bound:.1%} of defects escape"


def _way(licence: LicencePayload) -> str:
    return f"{licence.defects_sampled} reviewed defects, {licence.escapes} of them would have escaped"


def as_text(licence: LicencePayload) -> str:
    """All of it, for a person at a terminal."""
    model = licence.model
    unknown = licence.reviewers_miss >= 1
    lines = {
        "board type": licence.board_type,
        "joint type": licence.joint_type,
        "bundle": f"{model.name} {model.version}",
        "state": f"{licence.state.value}, by {licence.by.value}" + (f": {licence.reason}" if licence.reason else ""),
        "released by": licence.operating_point or "nothing is released",
        "reviewed": f"{licence.joints_reviewed} joints drawn at random, {licence.defects_sampled} of them defects",
        "escapes": f"{licence.escapes} of these defects would have been released",
        "escape rate": (
            "not known yet"
            if licence.escape_bound >= 1
            else f"at most {licence.escape_bound:.2%} at {licence.confidence:.0%} confidence"
        )
        + f"; asked for {licence.target_escape:.2%}",
        "reviewers": (
            "none with a record yet; import joints of known truth (axi-edge review import --settled)"
            if unknown
            else f"miss at most {licence.reviewers_miss:.1%} of defects"
        ),
        "audit": f"{licence.audit_share:.1%} of what would be released goes to a specialist",
        "said": licence.time,
    }
    return "\n".join(shown(f"{name:<13} {flat(text)}") for name, text in lines.items())
