//! The Merkle tree of RFC 6962, section 2.1: hashes, and the verification of proofs (RFC 9162, section 2.1).

use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use sha2::{Digest, Sha256};

/// A SHA-256 in the tree. In text it is base64 (RFC 4648, section 4), as C2SP's formats have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads base64. `None` if it is not 32 bytes in canonical form.
    pub fn parse(text: &str) -> Option<Self> {
        // A length that cannot be right is not decoded at all.
        if text.len() != 44 {
            return None;
        }
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Hash of a leaf: SHA-256 of a zero byte and the entry.
pub fn leaf(entry: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0]).chain_update(entry).finalize().into())
}

/// Hash of an inner node: SHA-256 of a one byte and its two children.
pub fn node(left: Hash, right: Hash) -> Hash {
    let mut both = [1; 65];
    both[1..33].copy_from_slice(&left.0);
    both[33..].copy_from_slice(&right.0);
    Hash(Sha256::digest(both).into())
}

/// Root of a tree over hashes that stand side by side at one height.
pub fn root(hashes: impl IntoIterator<Item = Hash>) -> Hash {
    let mut edge = Edge::default();
    for hash in hashes {
        edge.push(hash);
    }
    edge.root()
}

/// The right edge of a growing tree: the roots of its complete subtrees, which is all that appending needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    /// Largest first, one for each bit of `size` that is set.
    peaks: Vec<Hash>,
}

impl Edge {
    /// How many hashes were pushed.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf's hash.
    pub fn push(&mut self, hash: Hash) {
        let mut hash = hash;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node(left, hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The tree's root; that of an empty tree is the SHA-256 of nothing.
    pub fn root(&self) -> Hash {
        self.peaks
            .iter()
            .copied()
            .rev()
            .reduce(|right, left| node(left, right))
            .unwrap_or_else(|| Hash(Sha256::digest([]).into()))
    }
}

/// Whether a proof shows that the leaf stands at `index` in the tree of `size` leaves with this root
/// (RFC 9162, section 2.1.3.2).
pub fn includes(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(*sibling, hash);
            if at & 1 == 0 {
                let skipped = at.trailing_zeros();
                at = at.checked_shr(skipped).unwrap_or(0);
                last = last.checked_shr(skipped).unwrap_or(0);
            }
        } else {
            hash = node(hash, *sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether a proof shows that the tree of `to` leaves begins with the tree of `from` leaves
/// (RFC 9162, section 2.1.4.2). An empty tree begins each tree, and needs no proof.
pub fn extends(from: u64, from_root: Hash, to: u64, to_root: Hash, proof: &[Hash]) -> bool {
    if from == 0 {
        return proof.is_empty() && from_root == Edge::default().root() && (to > 0 || from_root == to_root);
    }
    if from == to {
        return proof.is_empty() && from_root == to_root;
    }
    if from > to {
        return false;
    }
    // A complete subtree's root is known already and left out of the proof.
    let (first, rest) = if from.is_power_of_two() {
        (from_root, proof)
    } else {
        match proof.split_first() {
            Some((first, rest)) => (*first, rest),
            None => return false,
        }
    };
    let skipped = (from - 1).trailing_ones();
    let (mut at, mut last) = ((from - 1) >> skipped, (to - 1) >> skipped);
    let (mut old, mut new) = (first, first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old = node(*sibling, old);
            new = node(*sibling, new);
            if at & 1 == 0 {
                let skipped = at.trailing_zeros();
                at = at.checked_shr(skipped).unwrap_or(0);
                last = last.checked_shr(skipped).unwrap_or(0);
            }
        } else {
            new = node(new, *sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old == from_root && new == to_root
}

/// The tree as RFC 6962 defines it, by recursion, and its test vectors.
#[cfg(test)]
pub(super) mod reference {
    use super::{Hash, leaf, node};
    use sha2::{Digest as _, Sha256};

    /// Leaves, roots and proofs that Certificate Transparency's implementations test against
    /// (`transparency-dev/merkle`, `testonly`).
    pub(crate) fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../testdata/merkle.json")).expect("vectors")
    }

    pub(crate) fn hashes(list: &serde_json::Value) -> Vec<Hash> {
        list.as_array()
            .expect("a list")
            .iter()
            .map(|hash| {
                let bytes = hex::decode(hash.as_str().expect("text")).expect("hexadecimal");
                Hash(bytes.try_into().expect("32 bytes"))
            })
            .collect()
    }

    pub(crate) fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    fn split(len: usize) -> usize {
        len.next_power_of_two() / 2
    }

    pub(crate) fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash(Sha256::digest([]).into()),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split(more.len()));
                node(root(left), root(right))
            }
        }
    }

    pub(crate) fn inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let half = split(leaves.len());
        let (left, right) = leaves.split_at(half);
        let (mut path, other) = if index < half {
            (inclusion(index, left), root(right))
        } else {
            (inclusion(index - half, right), root(left))
        };
        path.push(other);
        path
    }

    pub(crate) fn consistency(from: usize, leaves: &[Hash], is_known: bool) -> Vec<Hash> {
        if from == leaves.len() {
            return if is_known { Vec::new() } else { vec![root(leaves)] };
        }
        let half = split(leaves.len());
        let (left, right) = leaves.split_at(half);
        let (mut path, other) = if from <= half {
            (consistency(from, left, is_known), root(right))
        } else {
            (consistency(from - half, right, false), root(left))
        };
        path.push(other);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_vectors_hold() {
        let vectors = reference::vectors();
        let leaves: Vec<_> = vectors["leaves"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| leaf(&hex::decode(entry.as_str().unwrap()).unwrap()))
            .collect();
        let roots = reference::hashes(&vectors["roots"]);
        for (size, expected) in roots.iter().enumerate() {
            assert_eq!(root(leaves[..size].iter().copied()), *expected, "{size} leaves");
        }
        for proof in vectors["inclusion"].as_array().unwrap() {
            let index = proof["index"].as_u64().unwrap();
            let size = proof["size"].as_u64().unwrap();
            let hashes = reference::hashes(&proof["proof"]);
            assert!(includes(
                leaves[usize::try_from(index).unwrap()],
                index,
                size,
                &hashes,
                roots[usize::try_from(size).unwrap()]
            ));
        }
        for proof in vectors["consistency"].as_array().unwrap() {
            let from = proof["from"].as_u64().unwrap();
            let to = proof["to"].as_u64().unwrap();
            let hashes = reference::hashes(&proof["proof"]);
            let root = |size: u64| roots[usize::try_from(size).unwrap()];
            assert!(extends(from, root(from), to, root(to), &hashes), "{from} to {to}");
        }
    }

    #[test]
    fn the_edge_has_the_root_of_each_size() {
        let leaves = reference::leaves(600);
        let mut edge = Edge::default();
        for size in 0..=600 {
            assert_eq!(edge.size(), size as u64);
            assert_eq!(edge.root(), reference::root(&leaves[..size]), "{size} leaves");
            if size < 600 {
                edge.push(leaves[size]);
            }
        }
    }

    #[test]
    fn an_empty_tree_begins_every_tree() {
        let empty = Edge::default().root();
        let one = leaf(b"");
        assert!(extends(0, empty, 0, empty, &[]));
        assert!(extends(0, empty, 1, one, &[]));
        assert!(!extends(0, one, 1, one, &[]));
        assert!(!extends(0, empty, 0, one, &[]));
        assert!(!extends(0, empty, 1, one, &[one]));
        assert!(!extends(1, one, 0, empty, &[]));
    }

    proptest! {
        #[test]
        fn an_inclusion_proof_shows_one_leaf_at_one_place(
            size in 1_u64..600, at: prop::sample::Index, other: prop::sample::Index, grown in 1_u64..20,
        ) {
            let leaves = reference::leaves(size + grown);
            let index = at.index(usize::try_from(size).unwrap());
            let tree = &leaves[..usize::try_from(size).unwrap()];
            let root = reference::root(tree);
            let proof = reference::inclusion(index, tree);
            let shows = |leaf, index, size, proof: &[Hash]| includes(leaf, index, size, proof, root);
            let place = index as u64;
            prop_assert!(shows(leaves[index], place, size, &proof));
            let else_where = other.index(leaves.len());
            if else_where != index {
                prop_assert!(!shows(leaves[else_where], place, size, &proof));
                prop_assert!(!shows(leaves[index], else_where as u64, size, &proof));
            }
            prop_assert!(!shows(leaves[index], place, size, &[proof.clone(), vec![root]].concat()));
            if let Some((_, shorter)) = proof.split_last() {
                prop_assert!(!shows(leaves[index], place, size, shorter));
                let mut bent = proof.clone();
                let bent_at = other.index(bent.len());
                bent[bent_at].0[0] ^= 1;
                prop_assert!(!shows(leaves[index], place, size, &bent));
            }
        }

        #[test]
        fn a_consistency_proof_shows_two_roots_only(
            to in 1_u64..600, earlier: prop::sample::Index, other: prop::sample::Index,
        ) {
            let leaves = reference::leaves(to);
            let from = 1 + earlier.index(leaves.len());
            let (old, new) = (reference::root(&leaves[..from]), reference::root(&leaves));
            let proof = reference::consistency(from, &leaves, true);
            let from = from as u64;
            prop_assert!(extends(from, old, to, new, &proof));
            let mut bent = leaves.clone();
            let bent_at = other.index(leaves.len());
            bent[bent_at].0[0] ^= 1;
            prop_assert!(!extends(from, old, to, reference::root(&bent), &proof));
            if (bent_at as u64) < from {
                let bent_root = reference::root(&bent[..usize::try_from(from).unwrap()]);
                prop_assert!(!extends(from, bent_root, to, new, &proof));
            }
            prop_assert!(!extends(from, old, to, new, &[proof.clone(), vec![new]].concat()));
            if let Some((_, shorter)) = proof.split_last() {
                prop_assert!(!extends(from, old, to, new, shorter));
            }
        }

        #[test]
        fn no_proof_makes_the_verifiers_panic(
            index: u64, size: u64, from: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
        ) {
            let hashes: Vec<_> = hashes.into_iter().map(Hash).collect();
            let hash = leaf(b"");
            prop_assert!(!includes(hash, index, size, &hashes, hash) || size == 1);
            let _ = extends(from, hash, size, hash, &hashes);
        }

        #[test]
        fn hashes_read_as_they_are_written(bytes: [u8; 32], text in ".{0,50}") {
            prop_assert_eq!(Hash::parse(&Hash(bytes).to_string()), Some(Hash(bytes)));
            prop_assert!(Hash::parse(&text).is_none_or(|hash| hash.to_string() == text));
        }
    }
}
