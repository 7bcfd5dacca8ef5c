-- Who owns sites, how the sites are configured, and what their visitors were shown.
--
-- Ids are uuids, hashes are bytea, times are milliseconds since 1970 and end in `_ms`. Texts that are compared or
-- ordered have the collation "C": they go by their bytes, as in SQLite, and an upgrade of the system's locales does not
-- damage an index. Every table that grows has the site first in its key, so that it can be distributed by it. Rows of
-- this file are never changed and never deleted: consent records point at them as their proof.

create table organisation (
    id uuid not null primary key,
    name text not null
);

-- `id` is what the world sees. `number` is known in this database only: it makes every record and every index entry
-- shorter than the text would.
create table site (
    number integer generated always as identity primary key,
    id text collate "C" not null unique,
    organisation_id uuid not null references organisation (id)
);

create index site_by_organisation on site (organisation_id);

-- A published configuration. Numbers run from 1 without gaps within a site. Choices made on a revision before
-- `valid_from` no longer count.
create table revision (
    site_number integer not null references site (number),
    revision bigint not null check (revision between 1 and 4294967295),
    valid_from bigint not null check (valid_from between 1 and revision),
    published_at_ms bigint not null,
    config text not null, -- assent_consent::site::SiteConfig as JSON
    primary key (site_number, revision)
);

-- Exactly what visitors were shown, once per content. `rule` and `language` stand in `body` too; they stand here because
-- each record takes them from here.
create table notice (
    site_number integer not null references site (number),
    number integer not null generated always as identity,
    hash bytea not null check (length(hash) = 32), -- SHA-256 of `body`
    rule text collate "C" not null,
    language text collate "C" not null,
    body text not null, -- assent_consent::notice::Notice as canonical JSON
    primary key (site_number, number),
    unique (site_number, hash)
);

-- The notices that a revision shows. A notice that a later revision leaves as it is belongs to both.
create table revision_notice (
    site_number integer not null,
    revision bigint not null,
    notice_number integer not null,
    primary key (site_number, revision, notice_number),
    foreign key (site_number, revision) references revision (site_number, revision),
    foreign key (site_number, notice_number) references notice (site_number, number)
);
