"""A V810 result XML (``BoardTestXMLExport``) as it stands: root, boards, indictments and what became of them.

Names of elements and attributes follow public programs that read such exports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from xml.parsers import expat

from edge.files import encoding_of
from edge.jobs.vendors import several_boards

_ROOT, _BOARD, _INDICTMENT = "boardtestxmlexport", "boardxml", "indictmentxml"
_SAYING = frozenset({"repairactionxml", "pinxml"})
_DEEPEST = 64
# Possessive, and no value reaches over the next element: the time they take grows as the text does.
_TAG = re.compile(r"<(?P<end>/?+)(?P<name>[\w.:-]++)(?P<attributes>(?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+')*+)>")
_ATTRIBUTE = re.compile(r"(?<![\w.:-])(?P<name>[\w.:-]++)\s*+=\s*+(?:\"(?P<one>[^\"]*+)\"|'(?P<two>[^']*+)')")
_COUNTS = {"numberofindictedpins": "numberOfIndictedPins", "numberofdefects": "numberOfDefects"}
"""What an export says of itself: the attribute in lower case, and as it is written."""
_LARGEST_COUNT = re.compile(r"[0-9]{1,7}")


class _FormatError(ValueError):
    """A problem in plain words."""


class Indictment:
    """What an ``IndictmentXML`` says of one component's pin. ``board``: the number of the board it stands in;
    ``repairs``: the attributes of each ``PinXML`` of it that says what became of it, else of each ``RepairActionXML``.
    """

    def __init__(self, board: int, component: Mapping[str, str], indicted: Mapping[str, str]) -> None:
        self.board = board
        self.repairs: Sequence[Mapping[str, str]] = ()
        self.refdes, self.pin = component.get("designator", ""), component.get("pin", "")
        self.kind, self.call = indicted.get("jointtype", ""), indicted.get("indictmenttype", "")


def export_of(xml: bytes) -> tuple[Export, str]:
    """What the XML says, and why it cannot be judged by: one that is broken is read loosely, to name its joints."""
    export = Export()
    try:
        export.read(xml)
    except _FormatError as error:
        loose = Export(loosely=True)
        loose.read_loosely(xml)
        return loose, str(error)
    return export, ""


class Export:
    """What a result XML says, gathered as it is read. Names of elements are compared without regard to case."""

    def __init__(self, *, loosely: bool = False) -> None:
        self._loosely = loosely
        self.root: dict[str, str] = {}
        self.boards: list[dict[str, str]] = []
        self.station: dict[str, str] = {}
        self.data_folder = ""
        self.indictments: list[Indictment] = []
        self.events: list[dict[str, str]] = []
        self.outcomes: list[str] = []
        self._counts: dict[str, dict[str, int | None]] = {_ROOT: {}, _BOARD: {}}
        self._open: list[str] = []
        self._indicted: dict[str, str] = {}
        self._defects = 0
        self._named = True
        self._first, self._repairs = 0, list[dict[str, str]]()
        self._of_pin = dict[int, list[dict[str, str]]]()
        self._nameless = self._stray = 0
        self._whole = False

    def read(self, xml: bytes) -> None:
        """Raises _FormatError for what is no well-formed XML, or an unsafe one."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(xml, True)  # noqa: FBT003 - expat's own signature
        except _FormatError:
            raise
        except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two: an encoding expat cannot read
            raise _FormatError(f"not well-formed XML ({error}); export it again") from error

    def read_loosely(self, xml: bytes) -> None:
        """Every start and end of an element that can be made out, whatever stands between them."""
        for tag in _TAG.finditer(xml.decode(encoding_of(xml), "backslashreplace")):
            name = tag["name"]
            if tag["end"]:
                if name in self._open:
                    while self._open[-1] != name:
                        self._end(self._open[-1])
                    self._end(name)
                continue
            found = _ATTRIBUTE.finditer(tag["attributes"])
            attributes = {part["name"]: _unescaped(part["one"] or part["two"] or "") for part in found}
            if len(self._open) < _DEEPEST:
                self._start(name, attributes)
                if tag["attributes"].endswith("/"):
                    self._end(name)

    @property
    def board(self) -> Mapping[str, str]:
        """Nothing where it tells of several."""
        return self.boards[0] if len({board.get("serialnumber") for board in self.boards}) == 1 else {}

    @property
    def serial(self) -> str:
        return self.board.get("serialnumber", "")

    @property
    def created(self) -> str:
        return self.root.get("testtime", "")

    @property
    def job_id(self) -> str:
        """What its job is called here; empty where it does not say."""
        return f"{self.serial}_{self.created}" if self.serial and self.created else ""

    def wrong(self) -> list[str]:
        """What keeps a well-formed XML from being judged by."""
        if not self.root:
            return ["no BoardTestXMLExport; export the results of a board"]
        found = []
        if not self.boards or not all(board.get("serialnumber") for board in self.boards):
            found.append("BoardXML serialNumber: missing; export the board's serial number")
        if not self.root.get("testtime"):  # else a board's second inspection would pass for its first
            found.append("BoardTestXMLExport testTime: missing; export when the board was inspected")
        if len(self.boards) > 1:  # also under one serial, as the boards of a panel may be
            found.append(several_boards([board.get("serialnumber", "?") for board in self.boards], "BoardXML"))
        if self._nameless:
            found.append("an IndictmentXML without ComponentXML; export designator and pin of what is indicted")
        return found

    def unread(self, pins: int) -> str:
        """Why joints may be missing: the file is cut, or counts more than it names."""
        if not self._whole:
            return "it ends before its root element does; export it whole"
        if self._nameless:
            return f"{self._nameless} of its IndictmentXML name no pin; export designator and pin"
        if self._stray:
            return f"{self._stray} of its ComponentXML stand in no IndictmentXML; export what is indicted within one"
        for (key, name), found in zip(_COUNTS.items(), (pins, self._defects), strict=True):
            for said in (counts.get(key, 0) for counts in self._counts.values()):
                if said is None:
                    return f"{name} is no plain number; export it as one"
                if said > found:
                    return f"{name} says {said}, but {found} are named; export all of them"
        return ""

    def _refuse_doctype(self, *_: object) -> None:
        # Entities are how a small XML file grows without end, or reads other files.
        raise _FormatError("a document type declaration; export plain XML without one")

    def _start(self, name: str, raw: dict[str, str]) -> None:
        attributes = {key.casefold(): value.strip() for key, value in raw.items()}
        if len(attributes) < len(raw) and not self._loosely:
            raise _FormatError(f"{name} says {' '.join(raw)} twice; export each once")
        element = name.rpartition(":")[2].casefold()
        self.data_folder = attributes.get("datafoldername", self.data_folder)
        self._open.append(name)
        if len(self._open) > _DEEPEST:
            raise _FormatError(f"nested deeper than {_DEEPEST}; this is no BoardTestXMLExport")
        if element in self._counts:
            _add_counts(self._counts[element], attributes)
        match element:
            case "boardtestxmlexport":
                self.root = attributes
            case "boardxml":
                self.boards.append(attributes)
            case "stationxml":
                self.station = attributes
            case _:
                self._indict(element, attributes)

    def _indict(self, element: str, attributes: dict[str, str]) -> None:
        if element in _SAYING and attributes.get("repairstatus"):
            self.outcomes.append(attributes["repairstatus"])
        match element:
            case "repairactionxml" if attributes.get("repairstatus"):
                self._repairs.append(attributes)
            case "repaireventxml":
                self.events.append(attributes)
            case "indictmentxml":
                self._begin_indictment(attributes)
            case "componentxml":
                self._add_component(attributes)
            case "pinxml":
                self._add_pin(attributes)

    def _begin_indictment(self, attributes: dict[str, str]) -> None:
        self._indicted, self._named = attributes, False
        self._first, self._repairs, self._of_pin = len(self.indictments), [], {}
        self._defects += 1

    def _add_component(self, attributes: dict[str, str]) -> None:
        if self._within(_INDICTMENT):
            self._named = True
            self.indictments.append(Indictment(len(self.boards), attributes, self._indicted))
        else:
            self._stray += 1

    def _add_pin(self, attributes: dict[str, str]) -> None:
        """What became of one pin counts for it more than what became of all that was indicted."""
        if self._within(_INDICTMENT) and len(self.indictments) > self._first and attributes.get("repairstatus"):
            self._of_pin.setdefault(id(self.indictments[-1]), []).append(attributes)

    def _end(self, _: str) -> None:
        element = self._open.pop().rpartition(":")[2].casefold()
        if element == _INDICTMENT:
            self._nameless += not self._named
            for one in self.indictments[self._first :]:
                one.repairs = tuple(self._of_pin.get(id(one), [])) or tuple(self._repairs)
        if element == _ROOT:
            self._whole = True

    def _within(self, element: str) -> bool:
        return any(name.rpartition(":")[2].casefold() == element for name in self._open)


def _add_counts(counts: dict[str, int | None], attributes: Mapping[str, str]) -> None:
    """Of a panel each board may count for itself. None: what is said is no number."""
    for name in _COUNTS:
        text, before = attributes.get(name, ""), counts.get(name, 0)
        if text and _LARGEST_COUNT.fullmatch(text) and before is not None:
            counts[name] = before + int(text)
        elif text:
            counts[name] = None


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # a character reference of thousands of digits
        return text
