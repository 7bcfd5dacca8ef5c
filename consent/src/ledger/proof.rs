//! Proofs: which tiles one needs, how it comes out of them, and how it is written down.

use std::{collections::BTreeSet, fmt::Write as _, ops::Range};

use super::{
    merkle::Hash,
    note::{self, NoteError},
    tile::{self, Tile, Tiles},
};

/// The most hashes that a proof in a tree of 64-bit size has.
const HASHES_MAX: usize = 64;
/// First line of a written proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What has to be fetched and computed for a proof, or for the root, in a tree of a given size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    size: u64,
    /// Subtrees by their leaves, in the order of the proof.
    subtrees: Vec<Range<u64>>,
}

impl Plan {
    /// The root, as the only hash. A tree without leaves needs no tiles, and [`Plan::resolve`] gives no hash.
    pub fn root(size: u64) -> Self {
        let subtrees = (size > 0).then_some(0..size).into_iter().collect();
        Self { size, subtrees }
    }

    /// The proof that the leaf at `index` stands in the tree (RFC 6962, section 2.1.1). `None` if it does not.
    pub fn inclusion(index: u64, size: u64) -> Option<Self> {
        if index >= size {
            return None;
        }
        let mut subtrees = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + half(end - start);
            if index < middle {
                subtrees.push(middle..end);
                end = middle;
            } else {
                subtrees.push(start..middle);
                start = middle;
            }
        }
        subtrees.reverse();
        Some(Self { size, subtrees })
    }

    /// The proof that the tree of `to` leaves begins with that of `from` leaves (RFC 6962, section 2.1.2). `None`
    /// if it is the shorter one.
    pub fn consistency(from: u64, to: u64) -> Option<Self> {
        if from > to {
            return None;
        }
        let mut subtrees = Vec::new();
        let (mut start, mut end) = (0, to);
        // The whole of the old tree is known to whoever checks the proof.
        while from > 0 && from < end {
            let middle = start + half(end - start);
            if from <= middle {
                subtrees.push(middle..end);
                end = middle;
            } else {
                subtrees.push(start..middle);
                start = middle;
            }
        }
        if start > 0 {
            subtrees.push(start..end);
        }
        subtrees.reverse();
        Some(Self { size: to, subtrees })
    }

    /// The tiles to fetch, each once.
    pub fn tiles(&self) -> BTreeSet<Tile> {
        self.subtrees
            .iter()
            .flat_map(|leaves| tile::below(leaves.clone(), self.size))
            .collect()
    }

    /// The hashes. `None` if a tile is missing.
    pub fn resolve(&self, tiles: &Tiles) -> Option<Vec<Hash>> {
        self.subtrees
            .iter()
            .map(|leaves| tiles.subtree(leaves.clone(), self.size))
            .collect()
    }
}

/// The largest power of two below `len`, which is at least 2.
const fn half(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// The proof that an entry is in a log, with the checkpoint that it is checked against
/// (<https://c2sp.org/tlog-proof>). It can be kept beside the receipt and checked without the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogProof {
    /// The entry's index, from 0.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub hashes: Vec<Hash>,
    /// A signed checkpoint, as the log gives it.
    pub checkpoint: String,
}

impl LogProof {
    /// Reads a proof. Its checkpoint is not looked at.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if it is not exactly of the format.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        Self::read(text).ok_or(NoteError::Malformed)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > note::BYTES_MAX {
            return None;
        }
        let rest = text.strip_prefix(HEADER)?.strip_prefix('\n')?;
        let (lines, checkpoint) = rest.split_once("\n\n")?;
        let mut lines = lines.split('\n').peekable();
        // Extra data says nothing that is proven.
        lines.next_if(|line| line.starts_with("extra "));
        let index = note::decimal(lines.next()?.strip_prefix("index ")?)?;
        let hashes = lines.map(Hash::parse).collect::<Option<Vec<_>>>()?;
        let fits = hashes.len() <= HASHES_MAX;
        fits.then(|| Self {
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        })
    }
}

impl std::fmt::Display for LogProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{HEADER}\nindex {}\n", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{hash}")?;
        }
        f.write_char('\n')?;
        f.write_str(&self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{self, reference};
    use super::*;
    use proptest::prelude::*;

    /// The tiles of a tree, as a log keeps them.
    fn tiled(leaves: &[Hash]) -> Tiles {
        let mut tiles = Tiles::default();
        let mut hashes = leaves.to_vec();
        for level in 0..=7 {
            let mut above = Vec::new();
            for (number, chunk) in hashes.chunks(256).enumerate() {
                let tile = Tile::of_tree(level, number as u64, leaves.len() as u64).unwrap();
                assert!(tiles.add(tile, chunk.to_vec()));
                if tile.is_full() {
                    above.push(reference::root(chunk));
                }
            }
            hashes = above;
        }
        tiles
    }

    /// The same, of those tiles only that the plan asks for.
    fn resolve(plan: &Plan, all: &Tiles) -> Vec<Hash> {
        let mut some = Tiles::default();
        for tile in plan.tiles() {
            assert!(some.add(tile, all.get(tile).unwrap().to_vec()));
        }
        plan.resolve(&some).unwrap()
    }

    #[test]
    fn roots_come_out_of_tiles() {
        for size in [
            1_u64, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537, 66_000,
        ] {
            let leaves = reference::leaves(size);
            let root = resolve(&Plan::root(size), &tiled(&leaves));
            assert_eq!(root, [reference::root(&leaves)], "{size}");
        }
        assert_eq!(Plan::root(0).resolve(&Tiles::default()), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_in_the_tree_has_no_proof() {
        assert_eq!(Plan::inclusion(0, 0), None);
        assert_eq!(Plan::inclusion(5, 5), None);
        assert_eq!(Plan::consistency(6, 5), None);
        assert_eq!(Plan::inclusion(4, 5).unwrap().resolve(&Tiles::default()), None);
    }

    #[test]
    fn a_written_proof_reads_back() {
        let proof = LogProof {
            index: 73_894,
            hashes: reference::leaves(3),
            checkpoint: "example.com/log\n1\n…\n\n— example.com/log aaaa\n".to_owned(),
        };
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 73894\n"));
        assert_eq!(LogProof::parse(&text), Ok(proof.clone()));
        let with_extra = text.replace("\nindex", "\nextra YWJj\nindex");
        assert_eq!(LogProof::parse(&with_extra), Ok(proof));
        for broken in [
            text.replace("@v1", "@v2"),
            text.replace("index 7", "index 07"),
            text.replace("index", "at"),
            text.replace('=', ""),
            text.replace("\n\n", "\n"),
        ] {
            assert_eq!(LogProof::parse(&broken), Err(NoteError::Malformed), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn proofs_come_out_of_tiles(size in 1_u64..600, at: prop::sample::Index) {
            let leaves = reference::leaves(size);
            let tiles = tiled(&leaves);
            let index = at.index(leaves.len());
            let proof = resolve(&Plan::inclusion(index as u64, size).unwrap(), &tiles);
            prop_assert_eq!(&proof, &reference::inclusion(index, &leaves));
            prop_assert!(merkle::includes(leaves[index], index as u64, size, &proof, reference::root(&leaves)));
            let from = index + 1;
            let proof = resolve(&Plan::consistency(from as u64, size).unwrap(), &tiles);
            prop_assert_eq!(proof, reference::consistency(from, &leaves, true));
            prop_assert_eq!(resolve(&Plan::consistency(0, size).unwrap(), &tiles), []);
        }

        #[test]
        fn any_plan_is_made_without_panic(one: u64, other: u64) {
            let plans = [Plan::inclusion(one, other), Plan::consistency(one, other), Some(Plan::root(one))];
            for plan in plans.into_iter().flatten() {
                prop_assert!(plan.subtrees.len() <= HASHES_MAX + 1);
                prop_assert_eq!(plan.resolve(&Tiles::default()).is_some(), plan.subtrees.is_empty());
                let _ = plan.tiles();
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(c2sp.org/tlog-proof@v1\n)?(index [0-9]{1,25}\n)?(.|\n){0,80}") {
            if let Ok(proof) = LogProof::parse(&text) {
                prop_assert_eq!(LogProof::parse(&proof.to_string()), Ok(proof));
            }
        }
    }
}
