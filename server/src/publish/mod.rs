//! What visitors download: rendered for each site, rule and language when a revision is published, and kept
//! in memory.

pub(crate) mod compressed;
pub(crate) mod loader;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use assent_consent::{
    Category,
    decision::Objections,
    notice::{self, Notice, NoticeHash},
    site::{ConfigError, Rule, SiteConfig},
};
use assent_store::{Revision, Store, StoreError};

use crate::{embedded, texts};
use compressed::Compressed;

/// The most validated notices that one site remembers beside its current ones.
const SHOWN_MAX: usize = 1024;

/// How many other origins a site remembers: anybody can make them up.
const REFUSED_MAX: usize = 20;
/// The longest origin that it remembers, in bytes: `https://`, a name and a port.
const REFUSED_LEN_MAX: usize = 8 + 253 + 6;

/// Why a configuration could not be made into something to download.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rendering was cut off.
    #[error("rendering was cut off")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// All sites as they are published now. Readers take a whole site and keep it; a newer one replaces it for
/// those who come later.
#[derive(Debug)]
pub(crate) struct Published {
    sites: RwLock<Arc<HashMap<String, Arc<Site>>>>,
    /// The server's own origin, `https://consent.example`.
    origin: String,
}

impl Published {
    /// Nothing yet. `origin` is the server's own.
    pub(crate) fn new(origin: String) -> Self {
        Self {
            sites: RwLock::default(),
            origin,
        }
    }

    /// A site by its id.
    pub(crate) fn site(&self, id: &str) -> Option<Arc<Site>> {
        self.all().get(id).cloned()
    }

    fn all(&self) -> Arc<HashMap<String, Arc<Site>>> {
        Arc::clone(&self.sites.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Renders what has changed in the store since, archives its notices and puts it in place.
    ///
    /// # Errors
    /// [`PublishError::Store`]. A site whose configuration cannot be rendered keeps what it had; the log says
    /// so, once for each revision.
    pub(crate) async fn refresh(&self, store: &dyn Store) -> Result<(), PublishError> {
        let before = self.all();
        let mut now = HashMap::new();
        let mut changed = false;
        for revision in store.current_revisions().await? {
            let id = revision.config.id.clone();
            let known = before.get(&id);
            if let Some(site) = known.filter(|site| site.revision.number == revision.number) {
                now.insert(id, Arc::clone(site));
                continue;
            }
            changed = true;
            let number = revision.number;
            match self.render(store, revision).await {
                Ok(site) => {
                    tracing::info!(site = id, revision = number, "published");
                    now.insert(id, Arc::new(site));
                }
                Err(PublishError::Store(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(site = id, revision = number, %error, "cannot be rendered");
                    if let Some(site) = known {
                        now.insert(id, Arc::clone(site));
                    }
                }
            }
        }
        if changed || now.len() != before.len() {
            *self.sites.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(now);
        }
        Ok(())
    }

    async fn render(&self, store: &dyn Store, revision: Revision) -> Result<Site, PublishError> {
        let origin = self.origin.clone();
        let site = tokio::task::spawn_blocking(move || Site::render(revision, &origin)).await??;
        let notices: Vec<Notice> = site.variants().map(|variant| variant.notice.clone()).collect();
        store
            .archive_notices(site.id(), site.revision.number, &notices)
            .await?;
        Ok(site)
    }
}

/// A published site.
#[derive(Debug)]
pub(crate) struct Site {
    /// Its configuration.
    pub(crate) revision: Revision,
    origins: Vec<String>,
    /// For each rule one for each language, in the configuration's order.
    variants: Vec<Vec<Variant>>,
    shown: RwLock<HashMap<(u32, NoticeHash), Arc<Shown>>>,
    /// Other origins that called; not more than [`REFUSED_MAX`].
    refused: Mutex<BTreeSet<String>>,
}

/// One rule in one language.
#[derive(Debug)]
pub(crate) struct Variant {
    /// What the visitor is shown.
    pub(crate) notice: Notice,
    /// Its hash.
    pub(crate) hash: NoticeHash,
    /// The notice as JSON.
    pub(crate) notice_json: Compressed,
    /// The loader.
    loader: Compressed,
    /// What the rule honours, and the loader for who objects to targeting by such a header, where the rule grants it without a
    /// choice. Most browsers say so to the page as well, but not all that send the header, nor every proxy.
    objecting: Option<(Objections, Compressed)>,
}

/// What a record needs to know of the notice that was shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Id of the rule.
    pub(crate) rule: String,
    /// Language tag.
    pub(crate) language: String,
    /// Days for which a choice counts.
    pub(crate) expiry_days: u16,
    /// The services that the visitor could choose among one by one.
    pub(crate) offered: BTreeMap<String, Category>,
}

impl Site {
    fn render(revision: Revision, origin: &str) -> Result<Self, ConfigError> {
        let config = &revision.config;
        let mut variants = Vec::with_capacity(config.rules.len());
        for rule in &config.rules {
            let languages = config.languages.iter();
            variants.push(
                languages
                    .map(|language| Variant::render(&revision, rule, language))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        }
        let mut origins = config.origins.clone();
        if !origins.iter().any(|own| own == origin) {
            origins.push(origin.to_owned());
        }
        let mut shown = HashMap::new();
        for (rule, variants) in config.rules.iter().zip(&variants) {
            for variant in variants {
                shown.insert(
                    (revision.number, variant.hash),
                    Arc::new(Shown::of(&variant.notice, rule)),
                );
            }
        }
        Ok(Self {
            origins,
            variants,
            shown: RwLock::new(shown),
            refused: Mutex::default(),
            revision,
        })
    }

    /// The site's id.
    pub(crate) fn id(&self) -> &str {
        &self.revision.config.id
    }

    /// Whether pages of this origin may speak for the site's visitors: the site's own origins and the
    /// server's.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }

    /// Whether this origin, which is not allowed, is one of the first that call under this revision and has not
    /// called before.
    pub(crate) fn refuses_first_time(&self, origin: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.len() < REFUSED_MAX
            && origin.len() <= REFUSED_LEN_MAX
            && origin.starts_with("http")
            && refused.insert(origin.to_owned())
    }

    /// An allowed origin by its place: the configured ones first, then the server's. 0 is the site's main one.
    pub(crate) fn origin(&self, at: usize) -> Option<&str> {
        self.origins.get(at).map(String::as_str)
    }

    /// The place of the allowed origin that an address begins with.
    pub(crate) fn origin_of(&self, address: &str) -> Option<usize> {
        self.origins.iter().position(|origin| {
            address
                .strip_prefix(origin.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// The rule for a country, by its place in the configuration.
    pub(crate) fn rule(&self, country: Option<&str>) -> usize {
        let config = &self.revision.config;
        let rule = config.rule_for(country);
        rule.and_then(|found| config.rules.iter().position(|rule| rule.id == found.id))
            .unwrap_or(0)
    }

    /// What is published for a rule and a language, each by its place in the configuration.
    pub(crate) fn variant(&self, rule: usize, language: usize) -> Option<&Variant> {
        self.variants.get(rule)?.get(language)
    }

    /// Everything that is published for the site.
    pub(crate) fn variants(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().flatten()
    }

    /// Whether any of it is another for who objects by a header.
    pub(crate) fn depends_on_objections(&self) -> bool {
        self.variants().any(|variant| variant.objecting.is_some())
    }

    /// What stood in a notice of a revision; `None` if it was never published under it.
    pub(crate) async fn shown(
        &self,
        store: &dyn Store,
        revision: u32,
        hash: NoticeHash,
    ) -> Result<Option<Arc<Shown>>, StoreError> {
        let key = (revision, hash);
        let known = self
            .shown
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let Some((revision, notice)) = store.revision_notice(self.id(), revision, hash).await? else {
            return Ok(None);
        };
        let rules = &revision.config.rules;
        let Some(rule) = rules.iter().find(|rule| rule.id == notice.rule) else {
            return Ok(None);
        };
        let shown = Arc::new(Shown::of(&notice, rule));
        let mut cache = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        if cache.len() < SHOWN_MAX {
            cache.insert(key, Arc::clone(&shown));
        }
        Ok(Some(shown))
    }
}

impl Shown {
    fn of(notice: &Notice, rule: &Rule) -> Self {
        Self {
            rule: notice.rule.clone(),
            language: notice.language.clone(),
            expiry_days: rule.expiry_days,
            offered: notice.offered(),
        }
    }
}

impl Variant {
    /// The loader for a visitor who sends these signals.
    pub(crate) fn loader(&self, sent: Objections) -> &Compressed {
        match &self.objecting {
            Some((honoured, objecting)) if sent.meets(*honoured) => objecting,
            _ => &self.loader,
        }
    }

    fn render(revision: &Revision, rule: &Rule, language: &str) -> Result<Self, ConfigError> {
        let notice = notice(&revision.config, rule, language)?;
        let hash = notice.hash();
        let compose = |revision: &Revision, rule: &Rule| {
            Compressed::new(loader::compose(revision, rule, &notice, hash).into_bytes())
        };
        let honoured = rule.honours();
        let objecting = (honoured != Objections::default() && rule.before_choice().has(Category::Targeting))
            .then(|| {
                let mut rule = rule.clone();
                rule.on_by_default
                    .retain(|category| *category != Category::Targeting);
                let mut revision = revision.clone();
                revision.config.signals.google.object();
                (honoured, compose(&revision, &rule))
            });
        Ok(Self {
            loader: compose(revision, rule),
            objecting,
            notice_json: Compressed::new(notice.canonical()),
            notice,
            hash,
        })
    }
}

/// What visitors are shown under a rule in a language.
///
/// # Errors
/// When wordings are missing or unknown.
pub(crate) fn notice(config: &SiteConfig, rule: &Rule, language: &str) -> Result<Notice, ConfigError> {
    let texts = texts::of(config, language)?;
    let mut notice = Notice {
        version: 1,
        site: config.id.clone(),
        rule: rule.id.clone(),
        model: rule.model,
        regions: rule.regions.clone(),
        expiry_days: rule.expiry_days,
        language: language.to_owned(),
        controller: config.controller.clone(),
        policy_url: config.policy_url.clone(),
        honours_gpc: rule.honours_gpc,
        honours_dnt: rule.honours_dnt,
        service_choice: config.service_choice,
        banner_html: assent_widget::banner::html(&texts, language, &config.policy_url),
        banner_css: embedded::asset_text("banner.css").trim_end().to_owned(),
        dialog_html: String::new(),
        dialog_css: embedded::asset_text("dialog.css").trim_end().to_owned(),
        categories: notice::categories(config, rule, &texts, language),
        texts,
    };
    notice.dialog_html = assent_widget::archive::dialog_html(&notice, rule.before_choice());
    Ok(notice)
}
