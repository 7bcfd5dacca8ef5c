//! Where a request comes from: address, country, kind of device.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, header, request::Parts},
};

use super::text;
use crate::{app::App, app::AppState, intake};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The visitor's address, as far as it can be trusted. Used for limits, never stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// The visitor's address.
    pub(crate) address: IpAddr,
    /// Whether the request came through a trusted proxy.
    is_proxied: bool,
}

impl FromRequestParts<AppState> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::from([0, 0, 0, 0]), |ConnectInfo(peer)| {
                peer.ip().to_canonical()
            });
        Ok(Self::behind(&app.trusted_proxies, peer, &parts.headers))
    }
}

impl Client {
    /// The last address in the chain of proxies that no trusted proxy vouches for.
    fn behind(trusted: &[IpAddr], peer: IpAddr, headers: &HeaderMap) -> Self {
        let is_proxied = trusted.contains(&peer);
        let mut address = peer;
        if is_proxied {
            let forwarded = headers.get_all(FORWARDED_FOR);
            let hops = forwarded
                .iter()
                .filter_map(|value| value.to_str().ok())
                .flat_map(|value| value.split(','))
                .collect::<Vec<_>>();
            for hop in hops.into_iter().rev() {
                let Ok(hop) = hop.trim().parse::<IpAddr>() else {
                    break;
                };
                address = hop.to_canonical();
                if !trusted.contains(&address) {
                    break;
                }
            }
        }
        Self { address, is_proxied }
    }

    /// The visitor's country as a trusted proxy tells it.
    pub(crate) fn country<'a>(&self, app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
        let header = app.country_header.clone().filter(|_| self.is_proxied)?;
        text(headers, header).filter(|code| code.len() == 2)
    }
}

/// The class of the visitor's device.
pub(crate) fn device(headers: &HeaderMap) -> &'static str {
    intake::device(text(headers, header::USER_AGENT).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, forwarded: &'static str) -> String {
        let trusted = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, axum::http::HeaderValue::from_static(forwarded));
        Client::behind(&trusted, peer.parse().unwrap(), &headers)
            .address
            .to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("192.0.2.1", "198.51.100.9"), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", "198.51.100.9"), "198.51.100.9");
        assert_eq!(
            seen("10.0.0.1", "203.0.113.5, 198.51.100.9, 10.0.0.2"),
            "198.51.100.9"
        );
        assert_eq!(seen("10.0.0.1", "nonsense"), "10.0.0.1");
    }
}
