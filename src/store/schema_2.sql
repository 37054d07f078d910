-- What the page asks, without a pass over all that is kept.

-- The watched credentials by name, those without one last.
CREATE INDEX credential_name ON credential(coalesce(leaf_name, '~') COLLATE NOCASE, id) WHERE watched = 1;
-- Blind time: few sweeps of many.
CREATE INDEX sweep_blind ON sweep(id) WHERE blind = 1 AND second = 0;
-- Mails that failed of late.
CREATE INDEX delivery_failed ON delivery(done_at) WHERE state = 2;
