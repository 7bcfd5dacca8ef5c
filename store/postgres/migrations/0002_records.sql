-- Consent records, append-only.
--
-- Ids are made by visitors' browsers, so they are unique within a site only: nobody can take an id away from another
-- site. Being UUIDs of version 7 they grow with time, and appends touch the last page of their site's range, whatever the
-- size of the table. So do subjects, in their index (assent_consent::record::Subject): of the subject's secret key only
-- the time when it was made is in there, and a hash.
--
-- The foreign key is the proof's anchor: no record without the notice that its revision showed. Hash, rule and language
-- of the record are those of the notice. Its event is not stored: it follows from `asked`, `previous_id` and the choice
-- (assent_consent::record::Event).
--
-- The columns stand in the order of their alignment, so that no row has gaps.
create table record (
    revision bigint not null,
    decided_at_ms bigint not null, -- the browser's clock
    received_at_ms bigint not null, -- the server's clock
    expires_at_ms bigint not null,
    leaf bigint not null check (leaf >= 0), -- index in the site's log, migrations/0005_ledger.sql
    site_number integer not null,
    notice_number integer not null,
    version smallint not null,
    performance boolean not null,
    functional boolean not null,
    targeting boolean not null,
    asked boolean not null, -- false: the visitor began it
    gpc boolean not null, -- Global Privacy Control was on
    dnt boolean not null, -- Do Not Track was on
    id uuid not null,
    previous_id uuid,
    subject bytea not null check (length(subject) = 16),
    salt bytea not null check (length(salt) = 16), -- goes with the record when it is erased
    method text collate "C" not null, -- assent_consent::record::Method
    services text, -- JSON object of the choice's exceptions, id to true or false; null if there are none
    primary key (site_number, id),
    foreign key (site_number, revision, notice_number)
    references revision_notice (site_number, revision, notice_number)
)
-- What was erased is to leave its page soon, however large the table is: the default waits for a fifth of all rows.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 100);

-- A subject's history, in the order of the log: clocks go back.
create index record_by_subject on record (site_number, subject, leaf);

-- The records of a site's log, in order. No index is taken twice.
create unique index record_by_leaf on record (site_number, leaf);

-- What is kept for too long, oldest first (migrations/0006_custody.sql).
create index record_by_expiry on record (site_number, expires_at_ms, id);
