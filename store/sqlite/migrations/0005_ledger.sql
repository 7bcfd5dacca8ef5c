-- The ledger: for each site a log that only grows (assent_consent::ledger).
--
-- A log is kept in the tiles in which it is served, so that reading one is reading one row. Hashes of leaves are
-- computed from the entries. A log's size is that of its last tile of entries.

-- Level 0: 1 to 256 entries, which are commitments to records. Level n + 1: the roots of full tiles of level n. Only
-- the last tile of a level grows; full ones are never changed.
create table ledger_tile (
    site_number integer not null references site (number),
    level integer not null check (level between 0 and 7),
    number integer not null check (number >= 0),
    body blob not null check (length(body) between 32 and 8192 and length(body) % 32 = 0),
    primary key (site_number, level, number)
) strict;

-- Every signed head that a log was published with. Each must be a beginning of the next.
create table checkpoint (
    site_number integer not null references site (number),
    size integer not null check (size > 0),
    note text not null, -- assent_consent::ledger::Checkpoint, signed
    made_at_ms integer not null,
    primary key (site_number, size)
) strict, without rowid;

-- Where a record was erased. Its entry stays in the log, and says nothing without the record's salt. Which record it
-- was stands nowhere. The signature is the server's: a row that somebody else wrote has none that holds.
create table erasure (
    site_number integer not null references site (number),
    leaf integer not null,
    erased_at_ms integer not null,
    signature blob not null check (length(signature) = 64), -- assent_consent::ledger::erasure
    primary key (site_number, leaf)
) strict, without rowid;

-- Ids that are not stored again, because their records were erased: a browser may offer one once more whose answer it
-- has not heard. Only a hash of each.
create table erased_id (
    site_number integer not null references site (number),
    trace blob not null check (length(trace) = 16),
    primary key (site_number, trace)
) strict, without rowid;
