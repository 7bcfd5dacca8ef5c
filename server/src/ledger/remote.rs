//! The log of a site at its address on another server.

use std::{sync::Arc, time::Duration};

use assent_consent::{
    ledger::{Hash, LogProof, Tile, tile},
    receipt,
};
use assent_store::{Erasure, SignedHead};
use async_trait::async_trait;
use ed25519_dalek::VerifyingKey;
use rustls::crypto::aws_lc_rs;
use ureq::tls::TlsConfig;
use uuid::Uuid;

use super::{
    Log, LogError,
    pages::{Consistency, Erasures, Heads},
};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A site's log behind HTTP. Requests block the thread, which is the command line's own.
#[derive(Debug)]
pub(crate) struct RemoteLog {
    agent: ureq::Agent,
    /// `https://consent.example`.
    origin: String,
    /// Id of the site.
    site: String,
}

impl RemoteLog {
    /// The server's origin.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// The log at an address: a server's origin, for which the site has to be given, or the log's own,
    /// `https://consent.example/v1/sites/shop/log`. `None` if it is neither.
    pub(crate) fn at(address: &str, site: Option<&str>) -> Option<Self> {
        let address = address.trim_end_matches('/');
        let host = address
            .strip_prefix("https://")
            .or_else(|| address.strip_prefix("http://"))?;
        let (origin, path) = match host.find('/') {
            Some(slash) => address.split_at(address.len() - host.len() + slash),
            None => (address, ""),
        };
        let site = match path {
            "" => site?,
            path => path.strip_prefix("/v1/sites/")?.strip_suffix("/log")?,
        };
        let is_id = |site: &str| {
            site.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        is_id(site).then(|| Self {
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(TIMEOUT))
                .tls_config(
                    TlsConfig::builder()
                        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
                        .build(),
                )
                .build()
                .into(),
            origin: origin.to_owned(),
            site: site.to_owned(),
        })
    }

    /// The keys that the server publishes.
    pub(crate) fn keys(&self) -> Result<Vec<VerifyingKey>, LogError> {
        let jwks = self.json("/.well-known/jwks.json")?;
        Ok(receipt::keys_of_jwks(&jwks))
    }

    /// The proof of a record, which is found by its id and its commitment. `None` if the log gives none.
    pub(crate) fn proof(&self, id: Uuid, entry: [u8; 32]) -> Result<Option<LogProof>, LogError> {
        let path = format!(
            "/v1/sites/{}/records/{id}/proof?entry={}",
            self.site,
            hex::encode(entry)
        );
        match self.get(&path) {
            Ok(body) => {
                let malformed = || LogError::Malformed("a proof".to_owned());
                let text = String::from_utf8(body).map_err(|_| malformed())?;
                LogProof::parse(&text).map(Some).map_err(|_| malformed())
            }
            Err(LogError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The log's own address.
    pub(crate) fn address(&self) -> String {
        format!("{}/v1/sites/{}/log", self.origin, self.site)
    }

    /// The newest checkpoint, a signed note.
    pub(crate) fn newest(&self) -> Result<String, LogError> {
        self.text(&format!("/v1/sites/{}/log/checkpoint", self.site))
    }

    /// The proof that the log's first `to` entries begin with its first `from`.
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Result<Vec<Hash>, LogError> {
        let path = format!("/v1/sites/{}/log/proof?from={from}&to={to}", self.site);
        let answer: Consistency = self.json(&path)?;
        let hashes: Option<Vec<_>> = answer.proof.iter().map(|hash| Hash::parse(hash)).collect();
        hashes.ok_or(LogError::Malformed(path))
    }

    /// What this server, a witness, has countersigned last of the log with this origin.
    pub(crate) fn witnessed(&self, origin: &str) -> Result<String, LogError> {
        self.text(&format!("/v1/witness/{origin}"))
    }

    fn text(&self, path: &str) -> Result<String, LogError> {
        String::from_utf8(self.get(path)?).map_err(|_| LogError::Malformed(path.to_owned()))
    }

    /// The body of an answer. Statuses 404 and 409 are [`LogError::Missing`].
    fn get(&self, path: &str) -> Result<Vec<u8>, LogError> {
        let url = format!("{}{path}", self.origin);
        let answer = self.agent.get(&url).call().map_err(|error| match error {
            ureq::Error::StatusCode(404 | 409) => LogError::Missing(path.to_owned()),
            error => LogError::Unreachable(format!("{url}: {error}")),
        })?;
        answer
            .into_body()
            .into_with_config()
            .limit(BYTES_MAX)
            .read_to_vec()
            .map_err(|error| LogError::Unreachable(format!("{url}: {error}")))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, LogError> {
        serde_json::from_slice(&self.get(path)?).map_err(|_| LogError::Malformed(path.to_owned()))
    }
}

#[async_trait]
impl Log for RemoteLog {
    fn site(&self) -> &str {
        &self.site
    }

    async fn hashes(&self, tile: Tile) -> Result<Vec<Hash>, LogError> {
        let path = tile.path();
        let body = self.get(&format!("/v1/sites/{}/log/{path}", self.site))?;
        tile::hashes(&body)
            .filter(|hashes| hashes.len() == usize::from(tile.width))
            .ok_or(LogError::Malformed(path))
    }

    async fn entries(&self, tile: Tile) -> Result<Vec<[u8; 32]>, LogError> {
        let path = tile.entries_path();
        let body = self.get(&format!("/v1/sites/{}/log/{path}", self.site))?;
        tile::commitments(&body)
            .filter(|entries| entries.len() == usize::from(tile.width))
            .ok_or(LogError::Malformed(path))
    }

    async fn size(&self) -> Result<Option<u64>, LogError> {
        Ok(None)
    }

    async fn heads(&self, from: u64) -> Result<Vec<SignedHead>, LogError> {
        let heads: Heads = self.json(&format!("/v1/sites/{}/log/checkpoints?from={from}", self.site))?;
        Ok(heads.checkpoints.into_iter().map(Into::into).collect())
    }

    async fn erasures(&self, from: u64) -> Result<Vec<Erasure>, LogError> {
        let erasures: Erasures = self.json(&format!("/v1/sites/{}/log/erased?from={from}", self.site))?;
        erasures
            .erased
            .into_iter()
            .map(|erased| {
                erased
                    .read()
                    .ok_or_else(|| LogError::Malformed("its erasures".to_owned()))
            })
            .collect()
    }
}
