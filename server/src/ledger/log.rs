//! What everything that reads a log asks of it.

use assent_consent::ledger::{Edge, Hash, Plan, Tile, Tiles};
use assent_store::{Erasure, SignedHead, StoreError};
use async_trait::async_trait;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// It lacks something that its size says it has.
    #[error("the log has no {0}")]
    Missing(String),
    /// What it gave is not what it should be.
    #[error("what the log gives as {0} cannot be read")]
    Malformed(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server that has it cannot be reached, or refuses.
    #[error("{0}")]
    Unreachable(String),
}

/// The log of one site.
#[async_trait]
pub(crate) trait Log: Send + Sync {
    /// Id of the site.
    fn site(&self) -> &str;

    /// The hashes of a tile, as many as its width says.
    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, LogError>;

    /// The entries below a tile of level 0, as many as its width says.
    async fn entries(&self, tile: Tile) -> Result<Vec<[u8; 32]>, LogError>;

    /// How many entries it has now; `None` if only its checkpoints say that.
    async fn size(&self) -> Result<Option<u64>, LogError>;

    /// Signed heads from a size on, smallest first; not all, but at least one if there is one.
    async fn heads(&self, from: u64) -> Result<Vec<SignedHead>, LogError>;

    /// Erasures from an index on, smallest first; not all, but at least one if there is one.
    async fn erasures(&self, from: u64) -> Result<Vec<Erasure>, LogError>;

    /// The root of the log's first `size` entries.
    async fn root(&self, size: u64) -> Result<Hash, LogError> {
        let hashes = self.resolve(&Plan::root(size)).await?;
        Ok(hashes.first().copied().unwrap_or_else(|| Edge::default().root()))
    }

    /// The hashes of a proof.
    async fn resolve(&self, plan: &Plan) -> Result<Vec<Hash>, LogError> {
        let mut tiles = Tiles::default();
        for tile in plan.tiles() {
            if !tiles.add(tile, self.hashes(tile).await?) {
                return Err(LogError::Malformed(tile.path()));
            }
        }
        plan.resolve(&tiles)
            .ok_or_else(|| LogError::Missing("tile that a proof needs".to_owned()))
    }
}
