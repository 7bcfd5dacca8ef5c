-- Counts for the consent rates, kept in the same transaction as the records that they count. No identifiers:
-- a cell is all visitors of one hour who share these five properties.
create table rollup (
    site_number integer not null references site (number),
    hour integer not null, -- hours since 1970, UTC
    revision integer not null,
    rule text not null,
    language text not null,
    device text not null, -- phone, tablet or desktop
    measure text not null, -- assent_store::Measure
    total integer not null check (total > 0),
    primary key (site_number, hour, revision, rule, language, device, measure)
) strict, without rowid;

-- Third parties that pages loaded although their visitors had not agreed, for the owner who looks before
-- switching automatic blocking on. Kept for 90 days, and so many a day: a site's pages send them, and anybody
-- can send anything.
create table third_party (
    site_number integer not null references site (number),
    day integer not null, -- days since 1970, UTC
    host text not null,
    waits_for text not null, -- assent_store::WaitsFor
    kinds integer not null, -- assent_store::Kinds
    page_views integer not null check (page_views > 0),
    primary key (site_number, day, host, waits_for)
) strict, without rowid;
