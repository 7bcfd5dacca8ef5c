-- What keeps records from being erased or used, and what owners do with them.

-- The law wants a record kept until a day, which ends the hold by itself. The reference is what makes sure that no held
-- record goes.
create table legal_hold (
    held_at_ms bigint not null,
    until_ms bigint not null check (until_ms > held_at_ms),
    erasure_asked_at_ms bigint, -- the visitor wants it erased; done when the hold ends
    site_number integer not null,
    record_id uuid not null,
    reason text not null, -- the owner's words, for owners only
    primary key (site_number, record_id),
    foreign key (site_number, record_id) references record (site_number, id)
);

create index legal_hold_by_end on legal_hold (site_number, until_ms);

-- Records that came before one of the same subject that was erased. What they say was not the visitor's last word, so
-- it counts no more. Nothing here tells which entry the erased one had.
create table superseded (
    site_number integer not null,
    record_id uuid not null,
    primary key (site_number, record_id),
    foreign key (site_number, record_id) references record (site_number, id) on delete cascade
);

-- A visitor's records are kept and not used (GDPR, article 18), those to come as well.
create table restriction (
    since_ms bigint not null,
    site_number integer not null references site (number),
    subject bytea not null check (length(subject) = 16),
    -- The owner lifts only what the owner has set.
    asked_by text collate "C" not null check (asked_by in ('visitor', 'owner')),
    primary key (site_number, subject)
);

-- What was done with a record, and by whom. Append-only; it names records that were erased as well, by their ids only.
create table trail (
    number bigint not null generated always as identity,
    at_ms bigint not null,
    site_number integer not null references site (number),
    owner_id uuid references owner (id), -- null: on the visitor's request
    record_id uuid not null,
    deed text collate "C" not null, -- assent_store::Deed
    primary key (site_number, number)
);

-- How the last look for records that are kept for too long went.
create table retention (
    ran_at_ms bigint not null,
    erased bigint not null check (erased >= 0),
    spared bigint not null check (spared >= 0), -- held or restricted
    erased_in_all bigint not null check (erased_in_all >= 0),
    site_number integer not null primary key references site (number)
);
