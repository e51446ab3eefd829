"""The journal's tables, and how older ones are taken over."""

VERSION = 4

SCHEMA = """
CREATE TABLE job (
    row INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE,
    job_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'decided', 'refused')),
    expected INTEGER NOT NULL,
    opened TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 1,
    closed TEXT
) STRICT;
CREATE INDEX job_by_id ON job (job_id);
CREATE TABLE verdict (
    event_id TEXT PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (row),
    joint TEXT NOT NULL,
    verdict TEXT NOT NULL,
    route TEXT NOT NULL,
    decided TEXT NOT NULL,
    acknowledged TEXT,
    grade TEXT,
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
INSERT INTO note VALUES ('fresh', 'yes')
"""
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
}
"""From this version to the next."""
