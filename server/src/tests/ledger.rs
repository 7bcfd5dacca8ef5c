use std::{collections::HashMap, ops::RangeInclusive, sync::Mutex};

use assent_consent::{
    ledger::{Checkpoint, Hash, LogProof, NoteKey, Tile, erasure, merkle, note::Role},
    receipt,
    record::{Salt, Subject},
};
use assent_store::{Batch, NewRecord};
use axum::body::Bytes;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;

use super::{KEY, OTHER_KEY, TestApp, id_of};
use crate::{config::LimitConfig, limits::Limits};

const LOG: &str = "/v1/sites/shop/log";

impl TestApp {
    /// Stores records of these numbers, the first through HTTP and the rest like it, and returns the last receipt.
    pub(super) async fn store_records(&self, ids: RangeInclusive<u128>) -> String {
        let first = *ids.start();
        assert_eq!(self.submit(&self.submission(first)).await.status, 201);
        let subject = Subject::of_key(KEY).unwrap();
        let mut record = self
            .store
            .record("shop", id_of(first), subject)
            .await
            .unwrap()
            .unwrap();
        let mut batch = Batch::default();
        for id in ids.skip(1) {
            record.id = id_of(id);
            record.salt = Salt(id.to_be_bytes());
            batch.records.push(NewRecord::new(record.clone(), Vec::new()));
        }
        self.store.append(batch).await.unwrap();
        self.app.signer.sign(&record)
    }

    async fn proof(&self, id: u128, key: &str) -> super::Answer {
        self.get(&format!("/v1/sites/shop/records/{}/proof", id_of(id)))
            .header("authorization", &format!("Bearer {key}"))
            .empty()
            .await
    }
}

#[tokio::test]
async fn a_checkpoint_is_served_once_there_is_one() {
    let app = TestApp::new().await;
    let path = format!("{LOG}/checkpoint");
    insta::assert_snapshot!(app.get(&path).empty().await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"The log has no checkpoint yet: no record was stored, or the first one just now."}"#);
    app.sign().await;
    assert_eq!(
        app.get(&path).empty().await.status,
        404,
        "an empty log is not signed"
    );
    app.store_records(1..=3).await;
    app.sign().await;
    let answer = app.get(&path).empty().await;
    insta::assert_snapshot!(answer.head(), @"
    200 OK
    access-control-allow-origin: *
    cache-control: no-cache
    content-type: text/plain; charset=utf-8
    cross-origin-resource-policy: cross-origin
    x-content-type-options: nosniff
    ");
    let checkpoint = Checkpoint::open(answer.text(), &app.app.known_keys).unwrap();
    assert_eq!(checkpoint.origin, "consent.example/v1/sites/shop/log");
    assert_eq!(checkpoint.size, 3);
    assert_eq!(
        app.get("/v1/sites/other/log/checkpoint").empty().await.status,
        404
    );
}

#[tokio::test]
async fn tiles_are_served_as_far_as_the_log_goes() {
    let app = TestApp::new().await;
    app.store_records(1..=3).await;
    let get = async |path: &str| app.get(&format!("{LOG}/tile/{path}")).empty().await;
    let entries = get("entries/000.p/3").await;
    insta::assert_snapshot!(entries.head(), @"
    200 OK
    access-control-allow-origin: *
    cache-control: public, max-age=60
    content-type: application/octet-stream
    cross-origin-resource-policy: cross-origin
    x-content-type-options: nosniff
    ");
    assert_eq!(entries.body.len(), 3 * 34);
    let hashes = get("0/000.p/3").await;
    assert_eq!(hashes.body[..32], merkle::leaf(&entries.body[2..34]).0);
    assert_eq!(get("0/000.p/2").await.body, hashes.body[..64]);
    for missing in [
        "0/000",
        "0/000.p/4",
        "0/001.p/1",
        "1/000.p/1",
        "0/0",
        "entries/000",
        "x",
        "0/000.p/3/",
    ] {
        assert_eq!(get(missing).await.status, 404, "{missing}");
    }
    insta::assert_snapshot!(get("0/000").await.line(), @r#"404 {"type":"about:blank","title":"Not Found","status":404,"detail":"The log has no such tile."}"#);

    app.store_records(4..=258).await;
    let full = get("0/000").await;
    assert_eq!(
        full.header("cache-control"),
        "public, max-age=31536000, immutable"
    );
    assert_eq!(full.body.len(), 8192);
    assert_eq!(full.body[..96], hashes.body);
    assert_eq!(get("entries/000").await.body[..102], entries.body);
    assert_eq!(get("1/000.p/1").await.body.len(), 32);
}

#[tokio::test]
async fn whoever_has_a_record_gets_its_proof() {
    let app = TestApp::new().await;
    let receipt = app.store_records(1..=5).await;
    let early = app.proof(5, KEY).await;
    assert_eq!(early.header("retry-after"), "5");
    insta::assert_snapshot!(early.line(), @r#"409 {"type":"about:blank","title":"Conflict","status":409,"detail":"The record is stored; no checkpoint covers it yet."}"#);
    app.sign().await;
    app.submit(&app.submission(6)).await;
    assert_eq!(app.proof(6, KEY).await.status, 409);

    let answer = app.proof(5, KEY).await;
    insta::assert_snapshot!(answer.head(), @"
    200 OK
    cache-control: no-store
    content-type: text/plain; charset=utf-8
    vary: origin
    x-content-type-options: nosniff
    ");
    let proof = LogProof::parse(answer.text()).unwrap();
    assert_eq!((proof.index, proof.hashes.len()), (4, 1));
    let checkpoint = Checkpoint::open(&proof.checkpoint, &app.app.known_keys).unwrap();
    let record = receipt::verify_with(&receipt, &app.app.known_keys).unwrap();
    let leaf = merkle::leaf(&record.commitment());
    assert!(merkle::includes(leaf, 4, 5, &proof.hashes, checkpoint.root));

    // The receipt is enough.
    let by_entry = format!(
        "/v1/sites/shop/records/{}/proof?entry={}",
        id_of(5),
        hex::encode(record.commitment())
    );
    assert_eq!(app.get(&by_entry).empty().await.body, answer.body);
    let of_another = by_entry.replace(&id_of(5).to_string(), &id_of(4).to_string());
    assert_eq!(app.get(&of_another).empty().await.status, 404);
    assert_eq!(app.proof(5, OTHER_KEY).await.status, 404);
    assert_eq!(app.proof(9, KEY).await.status, 404);
    let without = app
        .get(&format!("/v1/sites/shop/records/{}/proof", id_of(5)))
        .empty()
        .await;
    assert_eq!(without.status, 401);
}

#[tokio::test]
async fn each_checkpoint_extends_the_one_before() {
    let app = TestApp::new().await;
    for ids in [1..=1, 2..=5, 6..=305] {
        app.store_records(ids).await;
        app.clock.advance(60_000);
        app.sign().await;
        app.sign().await;
    }
    let history = app.get(&format!("{LOG}/checkpoints")).empty().await.json();
    assert_eq!(history["next"], json!(null));
    let heads: Vec<_> = history["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|head| Checkpoint::open(head["note"].as_str().unwrap(), &app.app.known_keys).unwrap())
        .collect();
    assert_eq!(
        heads.iter().map(|head| head.size).collect::<Vec<_>>(),
        [1, 5, 305]
    );
    for pair in heads.windows(2) {
        let (from, to) = (pair[0].size, pair[1].size);
        let answer = app
            .get(&format!("{LOG}/proof?from={from}&to={to}"))
            .empty()
            .await
            .json();
        let proof: Vec<_> = answer["proof"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| Hash::parse(hash.as_str().unwrap()).unwrap())
            .collect();
        assert!(merkle::extends(from, pair[0].root, to, pair[1].root, &proof));
    }
    let later = app.get(&format!("{LOG}/checkpoints?from=6")).empty().await.json();
    assert_eq!(later["checkpoints"].as_array().unwrap().len(), 1);
    for bad in [
        "from=5&to=1",
        "from=1&to=306",
        "from=1",
        "from=-1&to=5",
        "from=x&to=y",
    ] {
        assert_eq!(
            app.get(&format!("{LOG}/proof?{bad}")).empty().await.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(
        app.get(&format!("{LOG}/checkpoints?from=x")).empty().await.status,
        400
    );
}

#[tokio::test]
async fn erased_entries_are_listed() {
    let app = TestApp::new().await;
    app.store_records(1..=3).await;
    let subject = Subject::of_key(KEY).unwrap();
    let made = Mutex::new(None);
    let sign = |leaf, entry| {
        let signature = erasure::sign("shop", leaf, &entry, super::NOW_MS, app.app.signer.key());
        *made.lock().unwrap() = Some(BASE64_STANDARD.encode(signature));
        signature
    };
    assert_eq!(
        app.store
            .erase("shop", subject, Some(id_of(2)), super::NOW_MS, &sign)
            .await
            .unwrap()
            .records
            .len(),
        1
    );
    // What is signed depends on the notice, and so on each word and style of it.
    let mut listed = app.get(&format!("{LOG}/erased")).empty().await.json();
    let signature = listed["erased"][0]["signature"].take();
    assert_eq!(signature.as_str(), made.lock().unwrap().as_deref());
    insta::assert_snapshot!(listed, @r#"{"erased":[{"erased_at_ms":1795291200000,"index":1,"signature":null}],"next":null}"#);
    app.sign().await;
    assert_eq!(app.proof(2, KEY).await.status, 404);
    assert_eq!(app.proof(3, KEY).await.status, 200);
}

#[tokio::test]
async fn keys_of_the_past_are_published() {
    let app = TestApp::new().await;
    let keys = app.get("/.well-known/jwks.json").empty().await.json();
    assert_eq!(receipt::keys_of_jwks(&keys), app.app.known_keys);
    assert_eq!(app.app.known_keys.len(), 2);
}

/// The tiles that the server serves, for the crate `tlog_tiles`.
struct Served(HashMap<String, Bytes>);

impl tlog_tiles::TileReader for Served {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let body = |tile: &tlog_tiles::Tile| {
            // The crate writes paths as Go's checksum database does, with the height.
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            self.0[&path].to_vec()
        };
        Ok(tiles.iter().map(body).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Cloudflare's `tlog_tiles` and `signed_note`, which serve and check Certificate Transparency logs, read the log from
/// what is served and come to the same conclusions.
#[tokio::test]
async fn an_independent_implementation_verifies_the_log() {
    let app = TestApp::new().await;
    app.store_records(1..=70).await;
    app.sign().await;
    let receipt = app.store_records(71..=600).await;
    app.sign().await;
    let note = app.get(&format!("{LOG}/checkpoint")).empty().await;
    let origin = "consent.example/v1/sites/shop/log";
    let key = NoteKey::new(origin, Role::Log, app.app.signer.verifying_key()).unwrap();
    let verifier = signed_note::StandardVerifier::new(&key.to_string()).unwrap();
    let verifiers = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let signed = |note: &[u8]| {
        let note = signed_note::Note::from_bytes(note).unwrap();
        let (known, unknown) = note.verify(&verifiers).unwrap();
        assert_eq!((known.len(), unknown.len()), (1, 0));
        tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap()
    };
    let checkpoint = signed(&note.body);
    assert_eq!((checkpoint.origin(), checkpoint.size()), (origin, 600));

    let mut tiles = HashMap::new();
    let full = (0..2).filter_map(|number| Tile::of_tree(0, number, 600));
    for tile in Tile::edge(600).chain(full) {
        let body = app.get(&format!("{LOG}/{}", tile.path())).empty().await.body;
        tiles.insert(tile.path(), body);
    }
    let served = Served(tiles);
    let root = *checkpoint.hash();
    let reader = tlog_tiles::TileHashReader::new(600, root, &served);
    assert_eq!(tlog_tiles::tree_hash(600, &reader).unwrap(), root);

    let record = receipt::verify_with(&receipt, &app.app.known_keys).unwrap();
    let proof = LogProof::parse(app.proof(600, KEY).await.text()).unwrap();
    let theirs = |hashes: &[Hash]| {
        hashes
            .iter()
            .map(|hash| tlog_tiles::Hash(hash.0))
            .collect::<Vec<_>>()
    };
    let hashes = theirs(&proof.hashes);
    let leaf = tlog_tiles::record_hash(&record.commitment());
    tlog_tiles::check_record(&hashes, 600, root, proof.index, leaf).unwrap();
    assert_eq!(
        tlog_tiles::prove_record(600, proof.index, &reader).unwrap(),
        hashes
    );

    let history = app.get(&format!("{LOG}/checkpoints")).empty().await.json();
    let first = signed(history["checkpoints"][0]["note"].as_str().unwrap().as_bytes());
    let answer = app
        .get(&format!("{LOG}/proof?from=70&to=600"))
        .empty()
        .await
        .json();
    let hashes: Vec<_> = answer["proof"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hash| tlog_tiles::Hash::parse_hash(hash.as_str().unwrap()).unwrap())
        .collect();
    tlog_tiles::check_tree(&hashes, 600, root, 70, *first.hash()).unwrap();
}

#[tokio::test]
async fn what_is_computed_is_limited_and_what_is_read_is_not() {
    let app = TestApp::with(|app| {
        app.limits = Limits::new(&LimitConfig {
            proofs_per_minute: 3,
            ..LimitConfig::default()
        });
    })
    .await;
    app.store_records(1..=3).await;
    app.sign().await;
    assert_eq!(app.proof(1, KEY).await.status, 200);
    let read = app
        .get(&format!("/v1/sites/shop/records/{}", id_of(1)))
        .header("authorization", &format!("Bearer {KEY}"));
    assert_eq!(read.empty().await.status, 200);
    let consistency = format!("{LOG}/proof?from=1&to=3");
    assert_eq!(app.get(&consistency).empty().await.status, 200);
    let refused = app.get(&consistency).empty().await;
    assert!(
        refused
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|wait_s| wait_s <= 21)
    );
    insta::assert_snapshot!(refused.line(), @r#"429 {"type":"about:blank","title":"Too Many Requests","status":429,"detail":"Too many requests from this address. Try again later."}"#);
    assert_eq!(app.proof(1, KEY).await.status, 429);
    for path in [
        "checkpoint",
        "checkpoints",
        "erased",
        "tile/entries/000.p/3",
        "tile/0/000.p/3",
    ] {
        assert_eq!(
            app.get(&format!("{LOG}/{path}")).empty().await.status,
            200,
            "{path}"
        );
    }
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_explained() {
    let app = TestApp::new().await;
    let proof = format!("/v1/sites/shop/records/{}/proof?entry=a&entry=b", id_of(1));
    let refused = app.get(&proof).empty().await;
    assert_eq!(refused.header("content-type"), "application/problem+json");
    insta::assert_snapshot!(refused.line(), @r#"400 {"type":"about:blank","title":"Bad Request","status":400,"detail":"Failed to deserialize query string: duplicate field `entry`."}"#);
    for path in [
        format!("{LOG}/checkpoints?from=x"),
        format!("{LOG}/erased?from=-1"),
        format!("{LOG}/proof?from=1"),
        "/s/shop.js?lang=en&lang=de".to_owned(),
        "/v1/sites/shop/choice?record=1&record=2".to_owned(),
        "/c/shop?lang=en&lang=de".to_owned(),
    ] {
        let refused = app.get(&path).empty().await;
        assert_eq!(refused.status, 400, "{path}");
        assert_eq!(
            refused.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }
}
