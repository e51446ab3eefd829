"""``axi-edge view``: which views of which board types are known by sight; and forgetting what was learnt wrongly."""

from __future__ import annotations

import argparse
from contextlib import closing

from edge.adapters.journal.charts import JournalCharts
from edge.adapters.journal.sights import JournalSights
from edge.adapters.journal.view import ViewState, views
from edge.commands import Commands, add_config, journal_of, own_journal, shown
from edge.config import load_settings
from edge.core.learning import LEAST_BOARDS


def add_view(commands: Commands) -> None:
    view = commands.add_parser("view", help="which views of which board types are known by sight")
    actions = view.add_subparsers(required=True, metavar="list|forget")
    listed = actions.add_parser("list", help="every view, a line each, and what cannot be told of it")
    add_config(listed)
    listed.add_argument("board_type", metavar="BOARD_TYPE", nargs="?", help="of this one alone")
    listed.set_defaults(action=_list)
    forget = actions.add_parser("forget", help="drop what was learnt, to learn it anew from boards to come")
    add_config(forget)
    forget.add_argument("board_type", metavar="BOARD_TYPE", help="as the jobs name it")
    forget.add_argument("--view", metavar="VIEW", help="as the jobs name it; without it, every view of the board type")
    forget.set_defaults(action=_forget)


def _list(arguments: argparse.Namespace) -> int:
    """1 where nothing is known."""
    held = views(journal_of(load_settings(arguments.config)))
    found = [one for one in held if arguments.board_type in {None, one.board_type}]
    for state in found:
        print(shown(in_a_line(state)))
    if not found:
        what = "no view" if arguments.board_type is None else f"no view of board type {arguments.board_type}"
        print(shown(f"{what} is known yet; {LEAST_BOARDS} boards of it must be reviewed"))
    return int(not found)


def in_a_line(state: ViewState) -> str:
    """What is known of a view."""
    name = f"{state.board_type} {state.view}:"
    seen = f"of {state.waiting} boards seen {state.reviewed} are reviewed" if state.waiting else ""
    if not state.references:
        return f"{name} being learnt, {seen} ({LEAST_BOARDS} that look alike and agree with the network are needed)"
    if not state.boards:
        return f"{name} learnt by another version and not readable: nothing is released on it until it is learnt anew"
    also = f" and {state.references - 1} older" if state.references > 1 else ""
    known = f"known since {state.learnt}{also}, of {state.boards} boards"
    told = f"not told from right ones: {', '.join(state.missed)}" if state.missed else ""
    return "; ".join(filter(None, (f"{name} {known}", told, seen)))


def _forget(arguments: argparse.Namespace) -> int:
    journal = own_journal(load_settings(arguments.config))
    with closing(JournalSights(journal)) as book:
        dropped = book.forget(arguments.board_type, arguments.view)
    if arguments.view is None:
        with closing(JournalCharts(journal)) as charts:  # what is usual is no more, either
            dropped = bool(dropped) or arguments.board_type in charts.names()
            charts.keep({arguments.board_type: None})
    of = f"view {arguments.view} of " if arguments.view else ""
    what = f"{of}board type {arguments.board_type}"
    done = (
        f"{what} is forgotten, and learnt anew from boards that are reviewed"
        if dropped
        else f"of {what} nothing was known"
    )
    print(shown(done))
    return int(not dropped)
