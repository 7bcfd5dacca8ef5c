-- Counts for the consent rates, kept in the same transaction as the records that they count. No identifiers: a cell is
-- all visitors of one hour who share these five properties.
create table rollup (
    site_number integer not null references site (number),
    hour integer not null, -- hours since 1970, UTC
    revision bigint not null,
    rule text collate "C" not null,
    language text collate "C" not null,
    device text collate "C" not null, -- phone, tablet or desktop
    measure text collate "C" not null, -- assent_store::Measure
    total bigint not null check (total > 0),
    primary key (site_number, hour, revision, rule, language, device, measure)
)
-- The cells of the present hour change with each commit; with room in their page they stay in it.
with (fillfactor = 50);

-- Third parties that pages loaded although their visitors had not agreed, for the owner who looks before switching
-- automatic blocking on. Kept for 90 days, and so many a day: a site's pages send them, and anybody can send anything.
create table third_party (
    site_number integer not null references site (number),
    day integer not null, -- days since 1970, UTC
    host text collate "C" not null,
    waits_for text collate "C" not null, -- assent_store::WaitsFor
    kinds integer not null, -- assent_store::Kinds
    page_views bigint not null check (page_views > 0),
    primary key (site_number, day, host, waits_for)
)
with (fillfactor = 50);
