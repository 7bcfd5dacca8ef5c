-- Who signs in to the console, and everything that expires. Secrets are kept as hashes: Argon2id for passwords, SHA-256
-- for random tokens.

create table owner (
    id uuid not null primary key,
    organisation_id uuid not null references organisation (id),
    email text collate "C" not null,
    password_hash text -- null until the owner sets a password
);

-- Of the collation "C", lower() changes ASCII letters only.
create unique index owner_by_email on owner (lower(email));

create table session (
    token_hash bytea not null primary key check (length(token_hash) = 32),
    owner_id uuid not null references owner (id) on delete cascade,
    expires_at_ms bigint not null
);

create index session_by_owner on session (owner_id);
create index session_by_expiry on session (expires_at_ms);

-- A token is good for one thing: signing an owner in, or carrying a visitor's subject key between a site and its
-- preference center. The key stands here for as long as the token lives, minutes, and nowhere else.
create table one_time_token (
    token_hash bytea not null primary key check (length(token_hash) = 32),
    expires_at_ms bigint not null,
    owner_id uuid references owner (id) on delete cascade,
    site_id text collate "C",
    subject_key text,
    check ((owner_id is null) = (site_id is not null)),
    check ((site_id is null) = (subject_key is null))
);

create index one_time_token_by_expiry on one_time_token (expires_at_ms);
create index one_time_token_by_owner on one_time_token (owner_id) where owner_id is not null;
