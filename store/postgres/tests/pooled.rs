//! Behind PgBouncer, which gives each transaction another connection of the server.

use assent_store_postgres::PostgresStore;
use assent_temporary_postgres::{Pooler, Server};

/// All of the suite runs on connections that it has used before in another order, for other databases.
#[tokio::test]
async fn postgres_conforms_behind_a_pool_that_keeps_no_sessions() {
    let server = Server::of_tests();
    let pooler = Pooler::start(server).unwrap();
    assent_store::conformance::run(async || {
        let database = server.new_database().unwrap();
        PostgresStore::open(&pooler.address(&database)).await.unwrap()
    })
    .await;
}
