//! Several servers on one PostgreSQL sign one log.

use assent_consent::receipt::ReceiptSigner;
use assent_store::{
    Batch, OrganisationId, Store,
    conformance::sample::{self, NOW_MS},
};
use assent_store_postgres::PostgresStore;
use assent_temporary_postgres::Server;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{
    audit,
    checkpoints::{self, Signatory},
};

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_of_two_nodes_extend_each_other() {
    const RECORDS: u32 = 10;
    let address = Server::of_tests().new_schema().unwrap();
    let signer = ReceiptSigner::new(&[7; 32]);
    let keys = [signer.verifying_key()];
    let config = sample::config("shop");
    let notice = sample::notice(&config, "first");
    let mut nodes = JoinSet::new();
    for node in 0..2 {
        let store = PostgresStore::open(&address).await.unwrap();
        if node == 0 {
            let organisation = OrganisationId(Uuid::from_u128(1));
            store.ensure_organisation(organisation, "Sample").await.unwrap();
            store
                .publish_revision(organisation, &config, NOW_MS)
                .await
                .unwrap();
            store
                .archive_notices("shop", 1, std::slice::from_ref(&notice))
                .await
                .unwrap();
        }
        let (notice, signer) = (notice.clone(), ReceiptSigner::new(&[7; 32]));
        nodes.spawn(async move {
            let signatory = Signatory {
                key: signer.key(),
                known: &[signer.verifying_key()],
                origin: "https://consent.example",
            };
            for number in 0..40 {
                let first = (node * 40 + number) * RECORDS;
                let records = (first..first + RECORDS)
                    .map(|number| {
                        let subject = sample::subject(number);
                        sample::accepted(&notice, sample::record(&notice, notice.hash(), number, subject))
                    })
                    .collect();
                let counts = Vec::new();
                store.append(Batch { records, counts }).await.unwrap();
                checkpoints::sign(&store, "shop", &signatory, NOW_MS)
                    .await
                    .unwrap();
                checkpoints::check_edge(&store, "shop", &[signer.verifying_key()])
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(node) = nodes.join_next().await {
        node.unwrap();
    }
    let store = PostgresStore::open(&address).await.unwrap();
    let report = audit::stored(&store, "shop", &keys, None).await.unwrap();
    assert_eq!(report.faults, []);
    let total = u64::from(2 * 40 * RECORDS);
    assert_eq!(
        (report.entries, report.signed, report.records),
        (total, total, Some(total))
    );
    assert!(report.checkpoints >= 40, "{}", report.checkpoints);
}
