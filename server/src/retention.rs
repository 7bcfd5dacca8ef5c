//! Once a day, erases the records that are kept for longer than their site says.

use std::time::Duration;

use assent_consent::ledger::erasure;
use assent_store::{Due, Result, StoreError};
use tokio::{sync::watch, time::MissedTickBehavior};
use uuid::Uuid;

use crate::app::App;

/// How often it is looked which sites are due.
const LOOK: Duration = Duration::from_mins(10);
const DAY_MS: i64 = 86_400_000;
/// Records that one transaction looks at.
const BATCH: u32 = 500;
/// How long the store is left to others between two batches.
const PAUSE: Duration = Duration::from_millis(200);

/// Looks again and again, until the server is to end.
pub(crate) async fn run(app: &App, mut stopped: watch::Receiver<bool>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let looking = async {
            look.tick().await;
            if let Err(error) = keep_all(app).await {
                tell(None, &error);
            }
        };
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = looking => {}
        }
    }
}

/// Erases what the sites have kept for too long, at each where that was not done within the last day.
pub(crate) async fn keep_all(app: &App) -> Result<()> {
    for revision in app.store.current_revisions().await? {
        let site = &revision.config.id;
        // What is wrong with one site's records is no reason to keep those of the others.
        if let Err(error) = keep(app, site, revision.config.retention_days).await {
            tell(Some(site), &error);
        }
    }
    Ok(())
}

/// Tells the operator; without a site where not even those could be read.
fn tell(site: Option<&str>, error: &StoreError) {
    let error: &dyn std::error::Error = error;
    tracing::error!(site, error, "records that are due were not erased");
}

async fn keep(app: &App, site: &str, retention_days: u16) -> Result<()> {
    let now_ms = app.clock.now_ms();
    let last = app.store.retention(site).await?;
    if last.is_some_and(|last| now_ms - last.ran_at_ms < DAY_MS) {
        return Ok(());
    }
    let mut due = Due {
        expired_by_ms: now_ms - i64::from(retention_days) * DAY_MS,
        after: None,
        limit: BATCH,
    };
    let sign = |leaf, entry| erasure::sign(site, leaf, &entry, now_ms, app.signer.key());
    let (mut erased, mut spared) = (0, 0);
    loop {
        let batch = app.store.erase_due(site, &due, now_ms, &sign).await?;
        erased += batch.erased;
        spared += batch.spared;
        // Beyond the last record, while holds remain that have ended.
        due.after = batch.next.or(Some((i64::MAX, Uuid::nil())));
        if batch.next.is_none() && !batch.holds_remain {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    app.store.note_retention(site, now_ms, erased, spared).await?;
    if erased + spared > 0 {
        tracing::info!(
            site,
            erased,
            spared,
            "erased records that were kept for their time"
        );
    }
    Ok(())
}
