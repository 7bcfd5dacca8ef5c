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
