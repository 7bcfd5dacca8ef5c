//! Tiles of <https://c2sp.org/tlog-tiles>: 256 hashes of one height side by side, each tile an address of its own.
//!
//! A tile of level 0 holds hashes of leaves; one of level n + 1 holds the roots of full tiles of level n. Below the
//! last tile of a level, tiles are full and never change; the last one is partial, and known by its width.

use std::collections::BTreeMap;

use super::merkle::{self, Hash};

/// Hashes in a full tile, and entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Heights of the tree in one tile.
const HEIGHT: u32 = 8;
/// The highest level that a tree of 64-bit size has.
const LEVEL_MAX: u8 = 7;

/// A tile by its place. [`Tile::path`] is its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    /// 0 for hashes of leaves.
    pub level: u8,
    /// From the left.
    pub number: u64,
    /// Hashes in it, 1 to 256; fewer than 256 in the last of a level only.
    pub width: u16,
}

/// What an address below the log's prefix stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `tile/LEVEL/NUMBER`: hashes.
    Hashes(Tile),
    /// `tile/entries/NUMBER`: the entries below a tile of level 0.
    Entries(Tile),
}

impl Tile {
    /// The tile at this place in a tree of `size` leaves. `None` if the tree has nothing there.
    pub fn of_tree(level: u8, number: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0);
        let width = hashes.checked_sub(number.checked_mul(WIDTH)?)?.min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, number, width })
    }

    /// All tiles that stand at the right edge of a tree of `size` leaves, lowest level first.
    pub fn edge(size: u64) -> impl Iterator<Item = Self> {
        (0..=LEVEL_MAX).map_while(move |level| {
            let hashes = size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0);
            Self::of_tree(level, hashes.checked_sub(1)? / WIDTH, size)
        })
    }

    /// Whether it will never change.
    pub fn is_full(self) -> bool {
        u64::from(self.width) == WIDTH
    }

    /// Its address: `tile/0/x001/x234/067`, partial ones with `.p/WIDTH`.
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// The address of the entries below a tile of level 0: `tile/entries/x001/x234/067`.
    pub fn entries_path(self) -> String {
        format!("tile/entries/{}", self.place())
    }

    fn place(self) -> String {
        let mut place = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1000);
            rest /= 1000;
        }
        if !self.is_full() {
            place = format!("{place}.p/{}", self.width);
        }
        place
    }

    /// The tile that holds the root of the complete subtree at `height`, in a tree of `size` leaves, and which of
    /// its hashes lie below that root.
    fn of_subtree(height: u32, index: u64, size: u64) -> Option<(Self, std::ops::Range<usize>)> {
        let level = u8::try_from(height / HEIGHT).ok()?;
        let span = 1_u64 << (height % HEIGHT);
        let first = index.checked_mul(span)?;
        let tile = Self::of_tree(level, first / WIDTH, size)?;
        let first = usize::try_from(first % WIDTH).ok()?;
        Some((tile, first..first + usize::try_from(span).ok()?))
    }
}

impl Resource {
    /// Reads an address, `tile/…`. `None` unless it is exactly as [`Tile::path`] writes it.
    pub fn parse(path: &str) -> Option<Self> {
        let (level, place) = path.strip_prefix("tile/")?.split_once('/')?;
        let (number, width) = match place.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| *width < 256)?),
            None => (place, 256),
        };
        let mut tile = Tile {
            level: 0,
            number: number.split('/').try_fold(0_u64, |number, digits| {
                let digits: u64 = digits.trim_start_matches('x').parse().ok()?;
                number.checked_mul(1000)?.checked_add(digits)
            })?,
            width,
        };
        // Whatever the digits, only the one way to write them is an address.
        let resource = if level == "entries" {
            Self::Entries(tile)
        } else {
            tile.level = level.parse().ok().filter(|level| *level <= LEVEL_MAX)?;
            Self::Hashes(tile)
        };
        (width > 0 && resource.path() == path).then_some(resource)
    }

    /// Its address.
    pub fn path(self) -> String {
        match self {
            Self::Hashes(tile) => tile.path(),
            Self::Entries(tile) => tile.entries_path(),
        }
    }

    /// The tile.
    pub const fn tile(self) -> Tile {
        match self {
            Self::Hashes(tile) | Self::Entries(tile) => tile,
        }
    }
}

/// Hashes one after the other, as a tile's body has them. `None` if that is not a whole number of 1 to 256 hashes.
pub fn hashes(body: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = body.as_chunks::<32>();
    let is_tile = rest.is_empty() && (1..=256).contains(&hashes.len());
    is_tile.then(|| hashes.iter().copied().map(Hash).collect())
}

/// Commitments as a bundle of entries: each with its length before it, as a big-endian 16-bit number.
pub fn bundle(commitments: &[u8]) -> Vec<u8> {
    let (commitments, _) = commitments.as_chunks::<32>();
    let mut bundle = Vec::with_capacity(commitments.len() * 34);
    for commitment in commitments {
        bundle.extend_from_slice(&[0, 32]);
        bundle.extend_from_slice(commitment);
    }
    bundle
}

/// The commitments in a bundle of entries. `None` if it has more than 256 entries, or one that is not of 32 bytes.
pub fn commitments(bundle: &[u8]) -> Option<Vec<[u8; 32]>> {
    let (entries, rest) = bundle.as_chunks::<34>();
    if !rest.is_empty() || entries.len() > 256 {
        return None;
    }
    entries
        .iter()
        .map(|entry| {
            let (len, commitment) = entry.split_first_chunk::<2>()?;
            (u16::from_be_bytes(*len) == 32).then_some(())?;
            commitment.try_into().ok()
        })
        .collect()
}

/// Tiles that were fetched, to take subtrees' hashes from.
#[derive(Clone, Debug, Default)]
pub struct Tiles(BTreeMap<(u8, u64), Vec<Hash>>);

impl Tiles {
    /// Adds a tile. `false`, and nothing is added, if it has not as many hashes as its width says.
    pub fn add(&mut self, tile: Tile, hashes: Vec<Hash>) -> bool {
        let fits = hashes.len() == usize::from(tile.width);
        if fits {
            self.0.insert((tile.level, tile.number), hashes);
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn get(&self, tile: Tile) -> Option<&[Hash]> {
        self.0.get(&(tile.level, tile.number)).map(Vec::as_slice)
    }

    /// Hash of the leaves `start..end`, which are a subtree of a tree of `size` leaves. `None` if a tile is missing.
    pub(super) fn subtree(&self, leaves: std::ops::Range<u64>, size: u64) -> Option<Hash> {
        let roots: Option<Vec<_>> = complete(leaves)
            .map(|(height, index)| {
                let (tile, below) = Tile::of_subtree(height, index, size)?;
                let hashes = self.0.get(&(tile.level, tile.number))?.get(below)?;
                Some(merkle::root(hashes.iter().copied()))
            })
            .collect();
        roots?
            .into_iter()
            .rev()
            .reduce(|right, left| merkle::node(left, right))
    }
}

/// The tiles that hold the hash of the leaves `start..end`, a subtree of a tree of `size` leaves.
pub(super) fn below(leaves: std::ops::Range<u64>, size: u64) -> impl Iterator<Item = Tile> {
    complete(leaves).filter_map(move |(height, index)| Some(Tile::of_subtree(height, index, size)?.0))
}

/// The complete subtrees that make up a subtree of the tree, from the left, by height and index.
fn complete(leaves: std::ops::Range<u64>) -> impl Iterator<Item = (u32, u64)> {
    let mut start = leaves.start;
    std::iter::from_fn(move || {
        let height = leaves.end.checked_sub(start)?.checked_ilog2()?;
        let index = start >> height;
        start += 1 << height;
        Some((height, index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |level, number, width| Tile { level, number, width };
        assert_eq!(tile(0, 1_234_067, 256).path(), "tile/0/x001/x234/067");
        assert_eq!(tile(0, 0, 17).path(), "tile/0/000.p/17");
        assert_eq!(tile(1, 1000, 256).path(), "tile/1/x001/000");
        assert_eq!(
            tile(0, 1_234_067, 8).entries_path(),
            "tile/entries/x001/x234/067.p/8"
        );
    }

    /// The examples of c2sp.org/tlog-tiles, "Partial Tiles".
    #[test]
    fn edges_are_those_of_the_specification() {
        let edge = |size| {
            Tile::edge(size)
                .map(|tile| (tile.level, tile.number, tile.width))
                .collect::<Vec<_>>()
        };
        assert_eq!(edge(70_000), [(0, 273, 112), (1, 1, 17), (2, 0, 1)]);
        assert_eq!(edge(256), [(0, 0, 256), (1, 0, 1)]);
        assert_eq!(edge(1), [(0, 0, 1)]);
        assert_eq!(edge(0), []);
        assert_eq!(edge(u64::MAX).len(), 8);
    }

    #[test]
    fn only_the_one_way_to_write_an_address_is_read() {
        for broken in [
            "",
            "tile",
            "tile/",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/8/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/+00",
            "tile/0/x000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/x001/x000",
            "tile/0/xx01/000",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/017",
            "tile/0/000.p/+1",
            "tile/0/000.p/1/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/entries/",
            "tile/entry/000",
            "tile/0/١٢٣",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(Resource::parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn bundles_are_length_prefixed() {
        let bundle = bundle(&[[7; 32], [8; 32]].concat());
        assert_eq!(bundle[..3], [0, 32, 7]);
        assert_eq!(commitments(&bundle), Some(vec![[7; 32], [8; 32]]));
        assert_eq!(commitments(&[]), Some(Vec::new()));
        assert_eq!(commitments(&bundle[1..]), None);
        assert_eq!(commitments(&[&[0, 31], &bundle[2..]].concat()), None);
        assert_eq!(commitments(&bundle.repeat(129)), None);
    }

    proptest! {
        #[test]
        fn addresses_read_back(level in 0_u8..=7, number: u64, width in 1_u16..=256, entries: bool) {
            let resource = if entries {
                Resource::Entries(Tile { level: 0, number, width })
            } else {
                Resource::Hashes(Tile { level, number, width })
            };
            prop_assert_eq!(Resource::parse(&resource.path()), Some(resource));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "(tile/)?[0-9ex/.p]{0,40}|.{0,60}") {
            prop_assert!(Resource::parse(&text).is_none_or(|resource| resource.path() == text));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
            prop_assert_eq!(hashes(&bytes).is_some(), bytes.len() % 32 == 0 && (32..=8192).contains(&bytes.len()));
            if let Some(read) = commitments(&bytes) {
                prop_assert_eq!(bundle(&read.concat()), bytes);
            }
        }

        #[test]
        fn tiles_of_any_tree_are_found_without_panic(level: u8, number: u64, size: u64, height in 0_u32..64) {
            if let Some(tile) = Tile::of_tree(level, number, size) {
                prop_assert!((1..=256).contains(&tile.width));
            }
            let _ = Tile::of_subtree(height, number, size);
        }
    }
}
