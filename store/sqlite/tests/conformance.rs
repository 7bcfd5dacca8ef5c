//! The suite that every store passes, on this one.

use std::sync::atomic::{AtomicU32, Ordering};

use assent_store_sqlite::SqliteStore;

#[tokio::test]
async fn sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let made = AtomicU32::new(0);
    assent_store::conformance::run(async || {
        let number = made.fetch_add(1, Ordering::Relaxed);
        SqliteStore::open(folder.path().join(format!("{number}.db")))
            .await
            .unwrap()
    })
    .await;
}
