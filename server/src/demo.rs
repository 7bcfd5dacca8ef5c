//! The demo site's configuration, from `public/demo`.

use assent_consent::site::SiteConfig;

use crate::embedded;

/// The demo site as `public/demo/site.json` describes it.
///
/// # Errors
/// When the file is missing in this build or cannot be read.
pub(crate) fn config() -> Result<SiteConfig, String> {
    let file = embedded::public("demo/site.json").ok_or("this build has no demo site")?;
    serde_json::from_slice(file.bytes).map_err(|error| format!("public/demo/site.json: {error}"))
}

/// The demo site as served by this server: its own origin is the site's main one.
///
/// # Errors
/// As [`config`].
pub(crate) fn config_at(origin: &str) -> Result<SiteConfig, String> {
    let mut config = config()?;
    if let Some(path) = config
        .origins
        .first()
        .and_then(|written| config.policy_url.strip_prefix(written.as_str()))
    {
        config.policy_url = format!("{origin}{path}");
    }
    config.origins.retain(|other| other != origin);
    config.origins.insert(0, origin.to_owned());
    Ok(config)
}
