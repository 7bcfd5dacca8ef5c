//! Measures durable appends: `cargo run --release -p assent-store-sqlite --example append_speed -- [records]
//! [batch] [file]`. Prints records per second as the table grows, and bytes per record at the end.

use std::time::Instant;

use assent_store::{Batch, Measure, OrganisationId, Store, conformance::sample};
use assent_store_sqlite::SqliteStore;
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "measures real time")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let records: u32 = arguments.next().map_or(Ok(200_000), |text| text.parse())?;
    let batch_len: u32 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let folder = tempfile::tempdir_in("target")?;
    let path = arguments
        .next()
        .map_or_else(|| folder.path().join("speed.db"), Into::into);

    let store = SqliteStore::open(&path).await?;
    let organisation = OrganisationId(Uuid::from_u128(1));
    let config = sample::config("speed");
    let notice = sample::notice(&config, "first");
    let hash = notice.hash();
    store.ensure_organisation(organisation, "Speed").await?;
    store
        .publish_revision(organisation, &config, sample::NOW_MS)
        .await?;
    store
        .archive_notices("speed", 1, std::slice::from_ref(&notice))
        .await?;

    let mut slowest_ms = 0.0_f64;
    let mut spent_s = 0.0;
    let step = records.div_ceil(5);
    let mut reported = (0, 0.0);
    for first in (0..records).step_by(batch_len as usize) {
        let numbers = first..records.min(first + batch_len);
        let batch = Batch {
            counts: numbers
                .clone()
                .map(|_| sample::count(&notice, 0, Measure::Shown))
                .collect(),
            records: numbers
                .clone()
                .map(|number| {
                    let subject = sample::subject(number);
                    sample::accepted(&notice, sample::record(&notice, hash, number, subject))
                })
                .collect(),
        };
        let begun = Instant::now();
        let answers = store.append(&batch).await?;
        let batch_s = begun.elapsed().as_secs_f64();
        assert_eq!(answers.len(), batch.records.len());
        spent_s += batch_s;
        slowest_ms = slowest_ms.max(batch_s * 1_000.0);
        let (at, at_s) = reported;
        if numbers.end >= at + step || numbers.end == records {
            let rate = f64::from(numbers.end - at) / (spent_s - at_s);
            println!("{:>9} stored: {rate:>7.0} records/s", numbers.end);
            reported = (numbers.end, spent_s);
        }
    }
    store.close().await;
    let bytes = f64::from(u32::try_from(std::fs::metadata(&path)?.len())?);
    println!(
        "{:.0} records/s over all in batches of {batch_len}; slowest batch {slowest_ms:.1} ms; \
         {:.0} bytes per record",
        f64::from(records) / spent_s,
        bytes / f64::from(records),
    );
    Ok(())
}
