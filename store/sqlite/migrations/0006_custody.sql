-- What keeps records from being erased or used, and what owners do with them.

-- The law wants a record kept until a day, which ends the hold by itself. The reference is what makes sure that no held
-- record goes.
create table legal_hold (
    site_number integer not null,
    record_id blob not null check (length(record_id) = 16),
    reason text not null, -- the owner's words, for owners only
    held_at_ms integer not null,
    until_ms integer not null check (until_ms > held_at_ms),
    erasure_asked_at_ms integer, -- the visitor wants it erased; done when the hold ends
    primary key (site_number, record_id),
    foreign key (site_number, record_id) references record (site_number, id)
) strict, without rowid;

create index legal_hold_by_end on legal_hold (site_number, until_ms);

-- Records that came before one of the same subject that was erased. What they say was not the visitor's last word, so
-- it counts no more. Nothing here tells which entry the erased one had.
create table superseded (
    site_number integer not null,
    record_id blob not null check (length(record_id) = 16),
    primary key (site_number, record_id),
    foreign key (site_number, record_id) references record (site_number, id) on delete cascade
) strict, without rowid;

-- A visitor's records are kept and not used (GDPR, article 18), those to come as well.
create table restriction (
    site_number integer not null references site (number),
    subject blob not null check (length(subject) = 16),
    since_ms integer not null,
    asked_by text not null check (asked_by in ('visitor', 'owner')), -- the owner lifts only what the owner has set
    primary key (site_number, subject)
) strict, without rowid;

-- What was done with a record, and by whom. Append-only; it names records that were erased as well, by their ids only.
create table trail (
    number integer primary key,
    site_number integer not null references site (number),
    at_ms integer not null,
    owner_id blob references owner (id), -- null: on the visitor's request
    deed text not null, -- assent_store::Deed
    record_id blob not null check (length(record_id) = 16)
) strict;

create index trail_by_site on trail (site_number, number);

-- How the last look for records that are kept for too long went.
create table retention (
    site_number integer not null primary key references site (number),
    ran_at_ms integer not null,
    erased integer not null check (erased >= 0),
    spared integer not null check (spared >= 0), -- held or restricted
    erased_in_all integer not null check (erased_in_all >= 0)
) strict;
