//! Any address of a tile and any body: refused, or the one form of what it stands for.
#![no_main]

use assent_consent::ledger::{
    Tile,
    tile::{self, Resource},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &[u8], u8, u64, u64)| {
    let (path, body, level, number, size) = input;
    for path in [
        path.to_owned(),
        format!("tile/{path}"),
        format!("tile/entries/{path}"),
    ] {
        if let Some(resource) = Resource::parse(&path) {
            assert_eq!(resource.path(), path, "an address has one form");
            assert!((1..=256).contains(&resource.tile().width));
        }
    }
    if let Some(hashes) = tile::hashes(body) {
        assert_eq!(hashes.len() * 32, body.len());
    }
    if let Some(commitments) = tile::commitments(body) {
        assert_eq!(
            tile::bundle(commitments.as_flattened()),
            body,
            "a bundle has one form"
        );
    }
    if let Some(tile) = Tile::of_tree(level % 8, number, size) {
        assert_eq!(Resource::parse(&tile.path()), Some(Resource::Hashes(tile)));
        assert!(tile.is_full() || Tile::of_tree(tile.level, number + 1, size).is_none());
    }
    let edge: Vec<_> = Tile::edge(size).collect();
    assert!(edge.len() <= 8 && edge.is_empty() == (size == 0));
});
