//! The suite that every store passes, on this one.

use assent_store_postgres::PostgresStore;
use assent_temporary_postgres::Server;

#[tokio::test]
async fn postgres_conforms() {
    let server = Server::of_tests();
    assent_store::conformance::run(async || {
        PostgresStore::open(&server.new_schema().unwrap()).await.unwrap()
    })
    .await;
}
