"""The journal's tables, and how older ones are taken over."""

VERSION = 8

_REVIEWS = """
CREATE TABLE review (
    review_id TEXT PRIMARY KEY,
    said_event TEXT NOT NULL,
    event_id TEXT,
    problem TEXT,
    decision TEXT NOT NULL CHECK (decision IN ('defect', 'false_call', 'unsure')),
    reviewer TEXT NOT NULL,
    time TEXT NOT NULL,
    job_id TEXT NOT NULL,
    serial TEXT NOT NULL,
    joint TEXT NOT NULL,
    defect_class TEXT,
    station TEXT NOT NULL,
    seconds REAL,
    blind INTEGER NOT NULL,
    source TEXT NOT NULL,
    received TEXT NOT NULL,
    board_type TEXT,
    joint_type TEXT,
    digest TEXT,
    p_defect REAL,
    reason TEXT,
    CHECK ((event_id IS NULL) = (problem IS NOT NULL))
) STRICT;
CREATE INDEX review_by_event ON review (event_id)
"""
"""Kept when the verdicts are forgotten, and so with what the joint was. Without an event it is set aside."""
_PICTURES = """
CREATE TABLE picture (
    fingerprint BLOB NOT NULL,
    job INTEGER NOT NULL REFERENCES job (row),
    view TEXT NOT NULL,
    PRIMARY KEY (fingerprint, job, view)
) STRICT, WITHOUT ROWID;
CREATE INDEX picture_by_job ON picture (job)
"""
"""Not forgotten with the verdicts: a full disk must not make pictures new again."""
_LICENCES = """
ALTER TABLE verdict ADD COLUMN quality_index REAL;
ALTER TABLE review ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE review ADD COLUMN quality_index REAL;
ALTER TABLE review ADD COLUMN placed INTEGER;
UPDATE review SET placed = rowid WHERE event_id IS NOT NULL;
CREATE UNIQUE INDEX review_by_place ON review (placed);
CREATE INDEX review_settled ON review (event_id) WHERE settled = 1;
CREATE TABLE act (
    row INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    board_type TEXT NOT NULL,
    joint_type TEXT,
    digest TEXT,
    deed TEXT NOT NULL CHECK (deed IN ('suspend', 'lift', 'grant', 'restart')),
    by TEXT NOT NULL,
    reason TEXT NOT NULL,
    point TEXT NOT NULL,
    after INTEGER NOT NULL
) STRICT;
CREATE TABLE sample (
    event_id TEXT PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (row),
    board_type TEXT NOT NULL,
    joint_type TEXT NOT NULL,
    digest TEXT NOT NULL,
    decided TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_by_job ON sample (job);
CREATE TABLE replayed (
    event_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    score REAL NOT NULL,
    PRIMARY KEY (event_id, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE licence (
    board_type TEXT NOT NULL,
    joint_type TEXT NOT NULL,
    digest TEXT NOT NULL,
    said BLOB NOT NULL,
    PRIMARY KEY (board_type, joint_type, digest)
) STRICT, WITHOUT ROWID
"""
"""``settled``: the truth, from a better source. ``placed``: in which order reviews came
to be of a known joint. ``act``: what was done to licences, ``after`` that many placed reviews; of every joint type,
bundle or board type where none is named ('' for the last). ``sample``: what was drawn,
which outlives verdicts, or nobody would know what was never reviewed. ``replayed``: what another bundle makes of a
reviewed joint. ``licence``: what was said of each last.
"""
_SIGHTS = """
CREATE TABLE sight (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES job (row),
    board_type TEXT NOT NULL,
    view TEXT NOT NULL,
    taken TEXT NOT NULL,
    joints TEXT NOT NULL,
    seen BLOB NOT NULL,
    UNIQUE (board_type, view, job)
) STRICT;
CREATE TABLE reference (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    board_type TEXT NOT NULL,
    view TEXT NOT NULL,
    learnt TEXT NOT NULL,
    held BLOB NOT NULL
) STRICT;
CREATE INDEX reference_of ON reference (board_type, view);
CREATE INDEX review_by_job ON review (job_id)
"""
"""``sight``: how a view of a board looked that nothing is known of, until it is reviewed; ``joints``: their ids, as
JSON. ``reference``: what was learnt of such.
"""
SCHEMA = (
    """
CREATE TABLE job (
    row INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'decided', 'refused')),
    expected INTEGER NOT NULL,
    opened TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1,
    closed TEXT,
    serial TEXT,
    board_type TEXT
) STRICT;
CREATE INDEX job_by_id ON job (job_id);
CREATE INDEX job_by_serial ON job (serial);
CREATE TABLE verdict (
    event_id TEXT PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (row),
    joint TEXT NOT NULL,
    verdict TEXT NOT NULL,
    route TEXT NOT NULL,
    decided TEXT NOT NULL,
    acknowledged TEXT,
    grade TEXT,
    joint_type TEXT,
    digest TEXT,
    p_defect REAL,
    reason TEXT,
    UNIQUE (job, joint)
) STRICT;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    retain INTEGER NOT NULL,
    refusals INTEGER NOT NULL DEFAULT 0,
    event_id TEXT
) STRICT;
CREATE INDEX outbox_order ON outbox (refusals, seq);
CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO note VALUES ('fresh', 'yes');
"""
    + _REVIEWS
    + ";"
    + _PICTURES
    + ";"
    + _LICENCES
    + ";"
    + _SIGHTS
)
MIGRATIONS = {
    1: "ALTER TABLE job ADD COLUMN tries INTEGER NOT NULL DEFAULT 1",
    2: """
ALTER TABLE job ADD COLUMN closed TEXT;
UPDATE job SET closed = opened WHERE state <> 'open';
ALTER TABLE verdict ADD COLUMN acknowledged TEXT;
ALTER TABLE outbox ADD COLUMN event_id TEXT;
UPDATE outbox SET event_id = json_extract(CAST(payload AS TEXT), '$.event_id');
UPDATE verdict SET acknowledged = decided WHERE event_id IN (SELECT event_id FROM outbox WHERE sent = 1);
DELETE FROM outbox WHERE sent = 1;
DROP INDEX outbox_unsent;
ALTER TABLE outbox DROP COLUMN sent;
CREATE INDEX outbox_order ON outbox (refusals, seq);
CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT
""",
    3: "ALTER TABLE verdict ADD COLUMN grade TEXT",
    4: """
ALTER TABLE job ADD COLUMN serial TEXT;
ALTER TABLE job ADD COLUMN board_type TEXT;
CREATE INDEX job_by_serial ON job (serial);
ALTER TABLE verdict ADD COLUMN joint_type TEXT;
ALTER TABLE verdict ADD COLUMN digest TEXT;
ALTER TABLE verdict ADD COLUMN p_defect REAL;
ALTER TABLE verdict ADD COLUMN reason TEXT;
"""
    + _REVIEWS,
    5: _PICTURES,
    6: _LICENCES,
    7: _SIGHTS,
}
"""From this version to the next."""
