//! The configuration: flags before environment, before the TOML file, before the defaults below.
//!
//! It holds no secrets but the password that may stand in a database's address: the signing key is a file in the data
//! folder, owners' passwords are in the database.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::database::Address;

/// Everything that an operator can set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the server listens and keeps its data.
    pub server: ServerConfig,
    /// What stands before the server.
    pub proxy: ProxyConfig,
    /// How much it takes.
    pub limits: LimitConfig,
    /// Whose logs it watches.
    pub witness: WitnessConfig,
}

/// Logs of other servers whose checkpoints this one countersigns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WitnessConfig {
    /// Seconds between two looks at them.
    pub every_s: u32,
    /// The logs.
    pub logs: Vec<WatchedLog>,
}

impl Default for WitnessConfig {
    fn default() -> Self {
        Self {
            every_s: 60,
            logs: Vec::new(),
        }
    }
}

/// A log of another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedLog {
    /// Its address, `https://consent.example/v1/sites/SITE/log`.
    pub address: String,
    /// A copy of its server's `/.well-known/jwks.json`.
    pub keys: PathBuf,
}

/// Where the server listens and keeps its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Origin under which browsers reach the server, `https://consent.example`; empty: `http://` and the
    /// address that it listens on.
    pub public_url: String,
    /// Folder of the signing key, and of the database unless `database` names another.
    pub data: PathBuf,
    /// The database: `postgres://…`, or `sqlite:FILE`; empty: the file `assent.db` in the data folder.
    pub database: String,
    /// E-mail address with which the owner signs in to the console; empty: as it is, at first
    /// `owner@localhost`.
    pub owner_email: String,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)),
            public_url: String::new(),
            data: PathBuf::from("data"),
            database: String::new(),
            owner_email: String::new(),
        }
    }
}

impl ServerConfig {
    /// Where the database is; `None` if that cannot be read.
    pub(crate) fn database(&self) -> Option<Address> {
        Address::of(&self.database, &self.data)
    }

    /// Origin under which browsers reach the server that listens on `listen`.
    pub(crate) fn origin(&self, listen: SocketAddr) -> String {
        match self.public_url.as_str() {
            "" => format!("http://{listen}"),
            url => url.to_owned(),
        }
    }
}

/// What stands before the server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Addresses of proxies; only from these are `X-Forwarded-For` and the country header believed.
    pub trusted: Vec<IpAddr>,
    /// Header with the visitor's country as an ISO 3166-1 code, such as `CF-IPCountry`; empty: none.
    pub country_header: String,
}

/// How much the server takes. Rates are for one address and one site; 0 switches a limit off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitConfig {
    /// Consent records.
    pub records_per_minute: u32,
    /// Impressions of the banner.
    pub events_per_minute: u32,
    /// Tokens between site and center.
    pub handovers_per_minute: u32,
    /// Attempts to sign in.
    pub sign_ins_per_minute: u32,
    /// Records and proofs that are asked for, each of which the server computes.
    pub proofs_per_minute: u32,
    /// Submissions that may wait for a commit; beyond that the answer is 503.
    pub queue_len: usize,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            records_per_minute: 300,
            events_per_minute: 1200,
            handovers_per_minute: 120,
            sign_ins_per_minute: 10,
            proofs_per_minute: 600,
            queue_len: 4096,
        }
    }
}

/// What is wrong with the configuration, for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigProblem {
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The file is not what it should be.
    #[error("{0}: {1}")]
    Malformed(PathBuf, toml::de::Error),
    /// A value cannot be used.
    #[error("{0}: {1}")]
    Value(&'static str, &'static str),
}

impl Config {
    /// Reads a TOML file; without one, the defaults.
    ///
    /// # Errors
    /// When the file cannot be read, or has unknown keys or values of the wrong type.
    pub fn read(file: Option<&Path>) -> Result<Self, ConfigProblem> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let text =
            fs::read_to_string(path).map_err(|error| ConfigProblem::Unreadable(path.to_owned(), error))?;
        toml::from_str(&text).map_err(|error| ConfigProblem::Malformed(path.to_owned(), error))
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let url = &self.server.public_url;
        if !url.is_empty() && !is_origin(url) {
            return Err(ConfigProblem::Value(
                "server.public_url",
                "must be http:// or https:// with a host in lower case, without a path",
            ));
        }
        if self.server.database().is_none() {
            return Err(ConfigProblem::Value(
                "server.database",
                "must be postgres://USER:PASSWORD@HOST:PORT/DATABASE or sqlite:FILE",
            ));
        }
        let email = &self.server.owner_email;
        if !email.is_empty()
            && (!email.contains('@') || email.contains(char::is_whitespace) || email.len() > 254)
        {
            return Err(ConfigProblem::Value(
                "server.owner_email",
                "is not an e-mail address",
            ));
        }
        let header = &self.proxy.country_header;
        if !header.is_empty() && axum::http::HeaderName::try_from(header).is_err() {
            return Err(ConfigProblem::Value(
                "proxy.country_header",
                "is not the name of a header",
            ));
        }
        if self.witness.every_s == 0 {
            return Err(ConfigProblem::Value("witness.every_s", "must be at least 1"));
        }
        if self.limits.queue_len == 0 {
            return Err(ConfigProblem::Value("limits.queue_len", "must be at least 1"));
        }
        Ok(())
    }

    /// What is in effect: what is empty because it follows from other settings is filled in, and a database's password
    /// is masked. The owner's address stays empty if it is left to the database, and so does the public address while
    /// the port is any that is free.
    #[must_use]
    pub fn in_effect(&self) -> Self {
        let mut config = self.clone();
        let server = &mut config.server;
        if server.listen.port() != 0 {
            server.public_url = server.origin(server.listen);
        }
        if let Some(address) = server.database() {
            server.database = address.masked();
        }
        config
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// Never in practice: every value has a TOML form.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

fn is_origin(url: &str) -> bool {
    url.strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .is_some_and(|host| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        let config = Config::default();
        let text = config.to_toml().unwrap();
        insta::assert_snapshot!(text, @r#"
    [server]
    listen = "127.0.0.1:8787"
    public_url = ""
    data = "data"
    database = ""
    owner_email = ""

    [proxy]
    trusted = []
    country_header = ""

    [limits]
    records_per_minute = 300
    events_per_minute = 1200
    handovers_per_minute = 120
    sign_ins_per_minute = 10
    proofs_per_minute = 600
    queue_len = 4096

    [witness]
    every_s = 60
    logs = []
    "#);
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn what_follows_from_other_settings_is_filled_in() {
        let mut config = Config::default();
        let server = config.in_effect().server;
        assert_eq!(server.public_url, "http://127.0.0.1:8787");
        assert_eq!(server.database, "sqlite:data/assent.db");
        assert_eq!(config.in_effect().in_effect(), config.in_effect());

        config.server.listen.set_port(0);
        assert_eq!(config.in_effect().server.public_url, "");
        config.server.public_url = "https://consent.example".to_owned();
        assert_eq!(config.in_effect().server.public_url, "https://consent.example");
    }

    #[test]
    fn unknown_keys_and_unusable_values_are_refused() {
        assert!(toml::from_str::<Config>("[server]\nport = 1").is_err());
        for (url, fine) in [
            ("https://consent.example", true),
            ("http://127.0.0.1:8787", true),
            ("https://consent.example/", false),
            ("ftp://consent.example", false),
            ("https://", false),
        ] {
            let mut config = Config::default();
            url.clone_into(&mut config.server.public_url);
            assert_eq!(config.check().is_ok(), fine, "{url}");
        }
        let mut config = Config::default();
        "mysql://localhost/assent".clone_into(&mut config.server.database);
        assert!(config.check().is_err());
        let mut config = Config::default();
        config.proxy.country_header = "not a header".to_owned();
        assert!(config.check().is_err());
    }
}
