-- Times are unix milliseconds (UTC). Words are text, small closed sets integers.
-- Never stored because derived: the number of looks and the watched time (differences of sweep counters, less gaps),
-- the time of an unchanged look (its sweep's), what an address was told (entry and delivery).

CREATE TABLE meta (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  fingerprint_key BLOB NOT NULL,               -- secret of this database: client keys are kept only as prints under it
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  started_at INTEGER NOT NULL,
  stopped_at INTEGER,                          -- null: running, or killed
  version TEXT NOT NULL
) STRICT;

-- One row a sweep. `looks` and `watched_ms` only grow: whole sweeps, and the time between them in which somebody looked.
CREATE TABLE sweep (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES run,
  second INTEGER NOT NULL DEFAULT 0,           -- 1: a second look at suspects only
  started_at INTEGER NOT NULL,
  finished_at INTEGER,                         -- null while it runs, or where it was cut off
  sight INTEGER NOT NULL DEFAULT 3,            -- 0 whole, 1 given up: denied, 2 given up: unreachable, 3 stopped
  blind INTEGER NOT NULL DEFAULT 0,            -- an account condition was true at its end
  asked INTEGER NOT NULL DEFAULT 0,
  answered INTEGER NOT NULL DEFAULT 0,
  denied INTEGER NOT NULL DEFAULT 0,
  later INTEGER NOT NULL DEFAULT 0,
  broken INTEGER NOT NULL DEFAULT 0,
  were_healthy INTEGER NOT NULL DEFAULT 0,     -- answered in it, and healthy when it began
  looks INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX sweep_at ON sweep(started_at);

CREATE TABLE credential (
  id INTEGER PRIMARY KEY,
  leaf_user BLOB NOT NULL,
  provider TEXT NOT NULL,
  watched INTEGER NOT NULL,                    -- 1 while it is in the config
  added_at INTEGER NOT NULL,                   -- when it was last put into the config
  leaf_name TEXT,                              -- the user's last known name: the config's, else the one that Leaf has
  events_looked_at INTEGER,
  UNIQUE (leaf_user, provider)
) STRICT;

-- What Leaf said, each combination once.
CREATE TABLE reading (
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL UNIQUE,
  status TEXT, environment TEXT, scopes TEXT NOT NULL, key_print BLOB, key_tail TEXT
) STRICT;

-- An answer from its first look to the look that said otherwise. A null reading is `missing`.
CREATE TABLE span (
  credential INTEGER NOT NULL REFERENCES credential,
  from_sweep INTEGER NOT NULL REFERENCES sweep,
  from_at INTEGER NOT NULL,
  to_sweep INTEGER, to_at INTEGER,
  reading INTEGER REFERENCES reading,
  epoch INTEGER NOT NULL, epoch_since INTEGER, leaf_id TEXT, leaf_created TEXT,
  PRIMARY KEY (credential, from_sweep)
) STRICT, WITHOUT ROWID;
CREATE INDEX span_open ON span(reading) WHERE to_sweep IS NULL;

-- Looks without an answer, in whole sweeps; beside the span, which stays.
CREATE TABLE gap (
  credential INTEGER NOT NULL REFERENCES credential,
  from_sweep INTEGER NOT NULL REFERENCES sweep, from_at INTEGER NOT NULL,
  to_sweep INTEGER, to_at INTEGER,
  reason INTEGER NOT NULL,                     -- 0 denied, 1 later, 2 broken
  detail TEXT NOT NULL,
  PRIMARY KEY (credential, from_sweep)
) STRICT, WITHOUT ROWID;
CREATE INDEX gap_open ON gap(credential) WHERE to_sweep IS NULL;

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  credential INTEGER NOT NULL REFERENCES credential,
  identity BLOB NOT NULL,
  at INTEGER,
  seen_at INTEGER NOT NULL,
  status_code INTEGER, body TEXT NOT NULL, headers TEXT NOT NULL,
  brief INTEGER NOT NULL DEFAULT 0,            -- 1: a failure between two healthy looks, recorded and never mailed
  UNIQUE (credential, identity)
) STRICT;
CREATE INDEX event_at ON event(credential, at);
CREATE INDEX event_seen ON event(seen_at);

-- Trouble that is not told yet. credential 0 is the account or ourselves.
CREATE TABLE suspect (
  credential INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,
  began_at INTEGER NOT NULL, began_sweep INTEGER NOT NULL,
  more_looks INTEGER NOT NULL DEFAULT 0,       -- beyond those that sweep numbers tell
  held_ms INTEGER NOT NULL DEFAULT 0,          -- likewise
  PRIMARY KEY (credential, kind, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
  id INTEGER PRIMARY KEY,
  credential INTEGER NOT NULL, track TEXT NOT NULL, subject TEXT NOT NULL,
  kind TEXT NOT NULL,
  began_at INTEGER NOT NULL, opened_at INTEGER NOT NULL, opened_sweep INTEGER NOT NULL, kind_at INTEGER NOT NULL,
  ended_at INTEGER, ended_by TEXT,
  reopened INTEGER NOT NULL DEFAULT 0,
  well_sweep INTEGER, well_at INTEGER,
  first_look INTEGER NOT NULL DEFAULT 0, while_off INTEGER NOT NULL DEFAULT 0, config_changed INTEGER NOT NULL DEFAULT 0,
  doubted INTEGER NOT NULL DEFAULT 0
) STRICT;
-- One a track, but for our own trouble: there each kind is its own.
CREATE UNIQUE INDEX incident_live ON incident(credential, track, subject, iif(track = 'own', kind, ''))
  WHERE ended_at IS NULL;
CREATE INDEX incident_of ON incident(credential, track, opened_at);
CREATE INDEX incident_opened ON incident(opened_at);
CREATE INDEX incident_sweep ON incident(opened_sweep) WHERE ended_at IS NULL;
CREATE INDEX incident_well ON incident(well_sweep) WHERE well_sweep IS NOT NULL AND ended_at IS NULL;
CREATE INDEX incident_doubted ON incident(doubted) WHERE doubted = 1;

CREATE TABLE step (
  id INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident,
  at INTEGER NOT NULL, sweep INTEGER, what TEXT NOT NULL, kind TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
CREATE INDEX step_of ON step(incident, at);

CREATE TABLE ack (
  id INTEGER PRIMARY KEY, incident INTEGER NOT NULL REFERENCES incident,
  at INTEGER NOT NULL, until_at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  ended_at INTEGER, ended_by TEXT
) STRICT;
CREATE INDEX ack_of ON ack(incident);

CREATE TABLE silence (
  id INTEGER PRIMARY KEY,
  leaf_user BLOB, provider TEXT, kind TEXT,    -- null: any
  at INTEGER NOT NULL, until_at INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,
  ended_at INTEGER, ended_by TEXT,
  settled INTEGER NOT NULL DEFAULT 0           -- 1: it is over, and what it held back is due again
) STRICT;
CREATE INDEX silence_live ON silence(until_at) WHERE settled = 0;

-- What an incident wants told. It is done when some address accepted it, or there is nothing left to say.
CREATE TABLE notice (
  id INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident,
  kind TEXT NOT NULL, at INTEGER NOT NULL, due_at INTEGER NOT NULL,
  routed INTEGER NOT NULL DEFAULT 0,           -- 1: its addressees are chosen
  done_at INTEGER, done_as TEXT                -- told, folded; while it is not done: untold, silenced
) STRICT;
CREATE INDEX notice_due ON notice(due_at) WHERE done_at IS NULL AND routed = 0;
CREATE INDEX notice_open ON notice(due_at) WHERE done_at IS NULL;
CREATE INDEX notice_of ON notice(incident);

-- To whom a notice is due, by which rule; then the message that told it, or nothing was left to say.
CREATE TABLE addressee (
  notice INTEGER NOT NULL REFERENCES notice, address TEXT NOT NULL, rule TEXT NOT NULL,
  message INTEGER REFERENCES message, folded INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (notice, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addressee_waiting ON addressee(address) WHERE message IS NULL AND folded = 0;
CREATE INDEX addressee_message ON addressee(message) WHERE message IS NOT NULL;

CREATE TABLE message (
  id INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, at INTEGER NOT NULL,
  bytes BLOB                                   -- null once no delivery waits and it is old
) STRICT;

-- What a message says of an incident: what its readers know once they have it.
CREATE TABLE entry (
  message INTEGER NOT NULL REFERENCES message, incident INTEGER NOT NULL REFERENCES incident,
  telling TEXT NOT NULL, kind TEXT NOT NULL, open INTEGER NOT NULL, turn INTEGER NOT NULL,
  PRIMARY KEY (incident, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_of ON entry(message);

-- A cause that a message said to be shared: what comes later of it is told in growing steps.
CREATE TABLE cause (
  message INTEGER NOT NULL REFERENCES message, key TEXT NOT NULL, cause TEXT NOT NULL,
  PRIMARY KEY (key, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX cause_of ON cause(message);

CREATE TABLE delivery (
  id INTEGER PRIMARY KEY,
  message INTEGER NOT NULL REFERENCES message, address TEXT NOT NULL,
  state INTEGER NOT NULL,                      -- 0 waiting, 1 accepted, 2 failed
  tries INTEGER NOT NULL DEFAULT 0,
  next_try_at INTEGER NOT NULL, give_up_at INTEGER NOT NULL, done_at INTEGER,
  UNIQUE (message, address)
) STRICT;
CREATE INDEX delivery_waiting ON delivery(next_try_at) WHERE state = 0;
CREATE INDEX delivery_to ON delivery(address, done_at);

CREATE TABLE attempt (
  delivery INTEGER NOT NULL REFERENCES delivery, at INTEGER NOT NULL,
  server TEXT NOT NULL, phase TEXT NOT NULL, code INTEGER, reply TEXT NOT NULL
) STRICT;
CREATE INDEX attempt_of ON attempt(delivery, at);

-- When a scheduled job was last done.
CREATE TABLE done (job TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
