-- The ledger: for each site a log that only grows (assent_consent::ledger).
--
-- A log is kept in parts of the tiles in which it is served: what each commit added to a tile is a row of its own, and
-- nothing is changed afterwards. (To write the last tile again with each commit, as SQLite's store does, would leave
-- kilobytes of dead rows behind for a record.) Hashes of leaves are computed from the entries. A log's size is the end of
-- its last part of entries.

-- Level 0: entries, which are commitments to records. Level n + 1: the roots of full tiles of level n. `first` is the
-- index of the part's first hash within its level; a tile has 256.
create table ledger_part (
    first bigint not null check (first >= 0),
    site_number integer not null references site (number),
    level smallint not null check (level between 0 and 7),
    body bytea not null check (length(body) between 32 and 8192 and length(body) % 32 = 0),
    primary key (site_number, level, first),
    check (first / 256 = (first + length(body) / 32 - 1) / 256)
);

-- Hashes do not compress.
alter table ledger_part alter column body set storage external;

-- Every signed head that a log was published with. Each must be a beginning of the next.
create table checkpoint (
    size bigint not null check (size > 0),
    made_at_ms bigint not null,
    site_number integer not null references site (number),
    note text not null, -- assent_consent::ledger::Checkpoint, signed
    primary key (site_number, size)
);

-- Where a record was erased. Its entry stays in the log, and says nothing without the record's salt. Which record it was
-- stands nowhere. The signature is the server's: a row that somebody else wrote has none that holds.
create table erasure (
    leaf bigint not null,
    erased_at_ms bigint not null,
    site_number integer not null references site (number),
    signature bytea not null check (length(signature) = 64), -- assent_consent::ledger::erasure
    primary key (site_number, leaf)
);

-- Ids that are not stored again, because their records were erased: a browser may offer one once more whose answer it has
-- not heard. Only a hash of each.
create table erased_id (
    site_number integer not null references site (number),
    trace bytea not null check (length(trace) = 16),
    primary key (site_number, trace)
);
