//! The log of a site in this server's database.

use assent_consent::ledger::{Hash, LogProof, Plan, Tile, merkle, tile};
use assent_store::{Erasure, SignedHead, Store};
use async_trait::async_trait;

use super::{Log, LogError};

/// Heads and erasures that are read at once.
const PAGE: u32 = 1000;

/// A site's log.
#[derive(Clone, Copy)]
pub(crate) struct StoredLog<'a> {
    pub(crate) store: &'a dyn Store,
    pub(crate) site: &'a str,
}

impl StoredLog<'_> {
    /// The proof of an entry, below the last checkpoint. `None` if that does not cover it yet.
    pub(crate) async fn prove(&self, leaf: u64) -> Result<Option<LogProof>, LogError> {
        let Some(head) = self.store.last_head(self.site).await? else {
            return Ok(None);
        };
        let Some(plan) = Plan::inclusion(leaf, head.size) else {
            return Ok(None);
        };
        Ok(Some(LogProof {
            index: leaf,
            hashes: self.resolve(&plan).await?,
            checkpoint: head.note,
        }))
    }

    /// The first hashes of a tile as it is stored; at level 0 those are the entries.
    pub(crate) async fn body(&self, tile: Tile) -> Result<Option<Vec<u8>>, LogError> {
        let body = self.store.log_tile(self.site, tile.level, tile.number).await?;
        let len = usize::from(tile.width) * 32;
        Ok(body.filter(|body| body.len() >= len).map(|mut body| {
            body.truncate(len);
            body
        }))
    }
}

#[async_trait]
impl Log for StoredLog<'_> {
    fn site(&self) -> &str {
        self.site
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, LogError> {
        if tile.level == 0 {
            let entries = self.entries(tile).await?;
            return Ok(entries.iter().map(|entry| merkle::leaf(entry)).collect());
        }
        let body = self
            .body(tile)
            .await?
            .ok_or_else(|| LogError::Missing(tile.path()))?;
        tile::hashes(&body).ok_or_else(|| LogError::Malformed(tile.path()))
    }

    async fn entries(&self, tile: Tile) -> Result<Vec<[u8; 32]>, LogError> {
        let body = self
            .body(tile)
            .await?
            .ok_or_else(|| LogError::Missing(tile.entries_path()))?;
        Ok(body.as_chunks::<32>().0.to_vec())
    }

    async fn size(&self) -> Result<Option<u64>, LogError> {
        Ok(Some(self.store.log_size(self.site).await?))
    }

    async fn heads(&self, from: u64) -> Result<Vec<SignedHead>, LogError> {
        Ok(self.store.heads(self.site, from, PAGE).await?)
    }

    async fn erasures(&self, from: u64) -> Result<Vec<Erasure>, LogError> {
        Ok(self.store.log_erasures(self.site, from, PAGE).await?)
    }
}
