-- Consent records, append-only.
--
-- Ids are made by visitors' browsers, so they are unique within a site only: nobody can take an id away from
-- another site. Being UUIDs of version 7 they grow with time, and appends touch the last page of their site's
-- range, whatever the size of the table. So do subjects, in their index (assent_consent::record::Subject): of the
-- subject's secret key only the time when it was made is in there, and a hash.
--
-- The foreign key is the proof's anchor: no record without the notice that its revision showed. Hash, rule
-- and language of the record are those of the notice. Its event is not stored: it follows from `asked`, `previous_id`
-- and the choice (assent_consent::record::Event).
create table record (
    site_number integer not null,
    id blob not null check (length(id) = 16),
    version integer not null,
    subject blob not null check (length(subject) = 16),
    revision integer not null,
    notice_number integer not null,
    method text not null, -- assent_consent::record::Method
    performance integer not null check (performance in (0, 1)),
    functional integer not null check (functional in (0, 1)),
    targeting integer not null check (targeting in (0, 1)),
    services text, -- JSON object of the choice's exceptions, id to true or false; null if there are none
    asked integer not null check (asked in (0, 1)), -- 0: the visitor began it
    gpc integer not null check (gpc in (0, 1)), -- Global Privacy Control was on
    dnt integer not null check (dnt in (0, 1)), -- Do Not Track was on
    previous_id blob check (length(previous_id) = 16),
    decided_at_ms integer not null, -- the browser's clock
    received_at_ms integer not null, -- the server's clock
    expires_at_ms integer not null,
    salt blob not null check (length(salt) = 16), -- goes with the record when it is erased
    leaf integer not null check (leaf >= 0), -- index in the site's log, migrations/0005_ledger.sql
    primary key (site_number, id),
    foreign key (site_number, revision, notice_number)
    references revision_notice (site_number, revision, notice_number)
) strict, without rowid;

-- A subject's history, in the order of the log: clocks go back.
create index record_by_subject on record (site_number, subject, leaf);

-- The records of a site's log, in order. No index is taken twice.
create unique index record_by_leaf on record (site_number, leaf);

-- What is kept for too long, oldest first (migrations/0006_custody.sql).
create index record_by_expiry on record (site_number, expires_at_ms, id);
