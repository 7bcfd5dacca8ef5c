-- Who owns sites, how the sites are configured, and what their visitors were shown.
--
-- Every table is strict. Ids are 16-byte blobs, times are milliseconds since 1970 and end in `_ms`. Rows of
-- this file are never changed and never deleted: consent records point at them as their proof.

create table organisation (
    id blob not null primary key check (length(id) = 16),
    name text not null
) strict, without rowid;

-- `id` is what the world sees. `number` is known in this file only: it makes every record and every index
-- entry shorter than the text would.
create table site (
    number integer primary key,
    id text not null unique,
    organisation_id blob not null references organisation (id)
) strict;

create index site_by_organisation on site (organisation_id);

-- A published configuration. Numbers run from 1 without gaps within a site. Choices made on a revision
-- before `valid_from` no longer count.
create table revision (
    site_number integer not null references site (number),
    revision integer not null check (revision between 1 and 4294967295),
    valid_from integer not null check (valid_from between 1 and revision),
    published_at_ms integer not null,
    config text not null, -- assent_consent::site::SiteConfig as JSON
    primary key (site_number, revision)
) strict;

-- Exactly what visitors were shown, once per content. `rule` and `language` stand in `body` too; they stand
-- here because each record takes them from here. `body` is the last column so that reading the others does
-- not walk through it.
create table notice (
    number integer primary key,
    site_number integer not null references site (number),
    hash blob not null check (length(hash) = 32), -- SHA-256 of `body`
    rule text not null,
    language text not null,
    body text not null, -- assent_consent::notice::Notice as canonical JSON
    unique (site_number, hash)
) strict;

-- The notices that a revision shows. A notice that a later revision leaves as it is belongs to both.
create table revision_notice (
    site_number integer not null,
    revision integer not null,
    notice_number integer not null references notice (number),
    primary key (site_number, revision, notice_number),
    foreign key (site_number, revision) references revision (site_number, revision)
) strict, without rowid;
