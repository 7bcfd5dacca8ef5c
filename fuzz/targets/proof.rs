//! Any proof: it is refused, or reads back as it was written; it shows what is so, and nothing else.
#![no_main]

use arbitrary::Arbitrary;
use assent_consent::ledger::{Edge, Hash, LogProof, Plan, Tile, Tiles, merkle};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    /// A log of at most 1,000 entries, and two places in it.
    size: u16,
    from: u16,
    index: u16,
    /// What a stranger claims.
    claimed: (u64, u64, Vec<[u8; 32]>, [u8; 32]),
    /// What is changed in a good proof: which hash, which byte, by what.
    flip: (u8, u8, u8),
}

fuzz_target!(|input: Input<'_>| {
    if let Ok(proof) = LogProof::parse(input.text) {
        assert_eq!(LogProof::parse(&proof.to_string()), Ok(proof));
    }
    let (one, other, hashes, root) = input.claimed;
    let hashes: Vec<_> = hashes.into_iter().map(Hash).collect();
    assert!(!merkle::includes(
        merkle::leaf(b"nobody's"),
        one,
        other,
        &hashes,
        Hash(root)
    ));
    let _ = merkle::extends(one, Hash(root), other, Hash(root), &hashes);
    for plan in [Plan::inclusion(one, other), Plan::consistency(one, other)]
        .into_iter()
        .flatten()
    {
        let _ = plan.tiles();
    }

    let size = u64::from(input.size % 1000) + 1;
    let (from, index) = (u64::from(input.from) % (size + 1), u64::from(input.index) % size);
    let leaves: Vec<_> = (0..size).map(|leaf| merkle::leaf(&leaf.to_be_bytes())).collect();
    let (mut edge, mut earlier) = (Edge::default(), Edge::default().root());
    for (at, leaf) in (1..).zip(&leaves) {
        edge.push(*leaf);
        if at == from {
            earlier = edge.root();
        }
    }
    let root = edge.root();
    let tiles = tiled(&leaves);
    let inclusion = Plan::inclusion(index, size)
        .expect("it is in there")
        .resolve(&tiles)
        .expect("its tiles");
    let consistency = Plan::consistency(from, size)
        .expect("it is longer")
        .resolve(&tiles)
        .expect("its tiles");
    let leaf = leaves[usize::try_from(index).expect("small")];
    assert!(merkle::includes(leaf, index, size, &inclusion, root));
    assert!(merkle::extends(from, earlier, size, root, &consistency));

    let (which, byte, change) = input.flip;
    for (proof, is_inclusion) in [(inclusion, true), (consistency, false)] {
        if proof.is_empty() || change == 0 {
            continue;
        }
        let mut changed = proof.clone();
        let which = usize::from(which) % changed.len();
        changed[which].0[usize::from(byte) % 32] ^= change;
        let shows = |proof: &[Hash]| match is_inclusion {
            true => merkle::includes(leaf, index, size, proof, root),
            false => merkle::extends(from, earlier, size, root, proof),
        };
        assert!(!shows(&changed), "a hash was changed");
        assert!(!shows(&proof[1..]), "a hash is missing");
        changed.clone_from(&proof);
        changed.push(root);
        assert!(!shows(&changed), "a hash too many");
    }
});

fn tiled(leaves: &[Hash]) -> Tiles {
    let mut tiles = Tiles::default();
    let size = leaves.len() as u64;
    let mut above = Vec::new();
    for (number, chunk) in (0..).zip(leaves.chunks(256)) {
        assert!(tiles.add(Tile::of_tree(0, number, size).expect("a tile"), chunk.to_vec()));
        if chunk.len() == 256 {
            above.push(merkle::root(chunk.iter().copied()));
        }
    }
    if let Some(tile) = Tile::of_tree(1, 0, size) {
        assert!(tiles.add(tile, above));
    }
    tiles
}
