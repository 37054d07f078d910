-- What an earlier version kept of texts from outside is scrubbed anew with this step, by `scrub.rs`.

-- The newest sweep when a cause was told: what opened before that sweep had ended is told with it, and is no straggler.
ALTER TABLE cause ADD COLUMN sweep INTEGER NOT NULL DEFAULT 0;
UPDATE cause SET sweep = coalesce(
  (SELECT max(s.id) FROM sweep s JOIN message m ON m.id = cause.message WHERE s.started_at <= m.at), 0);
-- What nothing explains is no cause.
DELETE FROM cause WHERE cause = '{"cause":"unexplained"}';

-- Who is to hear of a notice is chosen at once; silence and doubt hold back what waits for them. From now on
-- silence.settled is when that ended, which is later than the silence where nobody could look.
UPDATE notice SET done_as = NULL, due_at = at WHERE done_as = 'silenced' AND done_at IS NULL;
INSERT INTO notice (incident, kind, at, due_at)
  SELECT id, 'opened', opened_at, opened_at FROM incident WHERE doubted = 1 AND ended_at IS NULL;

-- Addresses that differ only in case are one reader.
DELETE FROM addressee WHERE message IS NULL AND EXISTS (
  SELECT 1 FROM addressee twin WHERE twin.notice = addressee.notice AND twin.message IS NOT NULL
    AND twin.address <> addressee.address AND lower(twin.address) = lower(addressee.address));
UPDATE OR IGNORE addressee SET address = lower(address) WHERE address <> lower(address);
DELETE FROM addressee WHERE address <> lower(address) AND message IS NULL;
UPDATE OR IGNORE delivery SET address = lower(address) WHERE address <> lower(address);
UPDATE OR IGNORE incident SET subject = lower(subject) WHERE kind = 'delivery_failed' AND subject <> lower(subject);

-- How far apart full sweeps were to be when this one ended: a look holds for two of these at most.
ALTER TABLE sweep ADD COLUMN interval_ms INTEGER NOT NULL DEFAULT 0;
-- The last sweep of a run.
CREATE INDEX sweep_run ON sweep(run);
-- Of older sweeps it was not kept: the middle one of the distances to the three sweeps before and after, which neither a
-- restart nor a time off moves; a quarter of an hour where there is none.
CREATE TABLE pace (nth INTEGER PRIMARY KEY, sweep INTEGER NOT NULL UNIQUE, distance INTEGER) STRICT;
INSERT INTO pace
  SELECT row_number() OVER (ORDER BY id), id, started_at - lag(started_at) OVER (ORDER BY id) FROM sweep WHERE second = 0;
UPDATE sweep SET interval_ms = coalesce((
    SELECT distance FROM (
      SELECT distance, row_number() OVER (ORDER BY distance) AS place, count(*) OVER () AS places
      FROM pace near WHERE near.nth BETWEEN here.nth - 2 AND here.nth + 3 AND near.distance > 0)
    WHERE place = (places + 1) / 2), 900000)
  FROM pace here WHERE here.sweep = sweep.id;
DROP TABLE pace;

-- What a cause may be named from, and what happened while nobody looked.

-- How far Leaf's clock is ahead of ours, as an answer last told: events are dated by it.
CREATE TABLE leaf_clock (id INTEGER PRIMARY KEY CHECK (id = 1), ahead_ms INTEGER NOT NULL) STRICT;

-- Providers of which Leaf ever logged a success; of the others it may log failures only.
CREATE TABLE logs_success (provider TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO logs_success SELECT DISTINCT c.provider FROM event e JOIN credential c ON c.id = e.credential
  WHERE e.status_code BETWEEN 200 AND 299;

-- What a suspicion or a run of good looks began with is told when it has held for long enough; an end is told apart from
-- how the trouble began.
ALTER TABLE suspect ADD COLUMN while_off INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incident ADD COLUMN well_while_off INTEGER NOT NULL DEFAULT 0;
ALTER TABLE incident ADD COLUMN well_config_changed INTEGER NOT NULL DEFAULT 0;
-- Of what is over only that was kept which it ended with.
UPDATE incident SET well_config_changed = config_changed, config_changed = 0 WHERE ended_at IS NOT NULL;

-- The status words that there are.
CREATE INDEX reading_status ON reading(status);

-- Leaf asked us to wait; gone once a sweep is whole, or a run begins.
CREATE TABLE pause (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  until_at INTEGER NOT NULL
) STRICT;

-- The newest delivery to an address, however many there were.
CREATE INDEX delivery_newest ON delivery(address);
