"""The one tree of errors.

    AxiError                      exit 70
    ├── UsageError                exit 2
    ├── ConfigError               exit 3
    │   └── ConfigUnreadable      the daemon's own; exit 78, which systemd takes for what it is
    ├── BundleRefused             exit 4
    ├── JobRefused                exit 5
    ├── GateRefused               exit 6
    ├── SliceError                one slice cannot be used; its joints go to the specialist
    ├── JudgeLost                 the process that judges hangs or died; it is started anew
    ├── SpoolGone                 the folder that jobs move through is not there; goes on by itself when it is
    ├── BrokerUnavailable         no session with the broker, for now; exit 1
    └── JournalError              the journal cannot be used; exit 3
        ├── JournalBlocked        no room on the disk, or read-only; goes on by itself when that is mended
        ├── JournalLocked         another program writes to it; goes on by itself when that lets go
        └── JournalDamaged        it is no longer a database: set aside and rebuilt at the next start

Every message is one plain sentence that names the file, the field and the remedy.
"""

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


class AxiError(Exception):
    """Root of everything this project raises on purpose."""

    exit_code = 70


class UsageError(AxiError):
    """The command was called in a way it does not understand."""

    exit_code = 2


class ConfigError(AxiError):
    """A configuration, recipe or installation cannot be used."""

    exit_code = 3


class ConfigUnreadable(ConfigError):
    """The daemon's configuration cannot be read, so starting anew mends nothing: systemd says CONFIG, and waits."""

    exit_code = 78


class BundleRefused(AxiError):
    """A bundle is damaged, unsigned, of a format we do not know, or does not reproduce its golden joints."""

    exit_code = 4


class JobRefused(AxiError):
    """A job folder breaks the ``axi-job/1`` contract as a whole."""

    exit_code = 5


class ExportRefused(AxiError):
    """A line's export has faults: read, and not written as a lot."""

    exit_code = 1


class GateRefused(AxiError):
    """A converted model exceeded a budget of its recipe."""

    exit_code = 6


class SliceError(AxiError):
    """One slice of a view cannot be used.

    ``reason`` is the stable code (``slice_missing``, ``slice_unreadable``, ...) that the verdicts carry.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class JudgeLost(AxiError):
    """The process that runs the model hangs, or died.

    ``reason`` is the stable code for joints that are given up for it: ``timeout`` or ``runtime_crashed``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class SpoolGone(AxiError):
    """The spool was there at the start, and is not any more."""


class BrokerUnavailable(AxiError):
    """The broker cannot be reached, refused us, or went away."""

    exit_code = 1


class JournalError(AxiError):
    """The journal is missing, damaged or of an unknown version."""

    exit_code = 3


class JournalDamaged(JournalError):
    """The journal's file is no longer a sound database."""


class JournalBlocked(JournalError):
    """The disk is full or read-only: nothing is wrong with the journal, and nothing can be written to it."""


class JournalLocked(JournalError):
    """Another program holds the journal's lock: nothing is wrong with it, and nothing can be written to it for now."""
