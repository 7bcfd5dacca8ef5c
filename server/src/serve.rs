//! Starts everything, keeps the background jobs going, and ends it all in order.

use std::{
    fmt::Write as _,
    fs,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    num::NonZero,
    path::Path,
    sync::Arc,
    time::Duration,
};

use assent_consent::{
    ledger::NoteError,
    site::{ConfigError, SiteConfig},
};
use assent_store::{OrganisationId, Owner, Revision, Store};
use axum::http::HeaderName;
use tokio::{net::TcpListener, signal::unix, sync::watch, time::MissedTickBehavior};
use uuid::Uuid;

use crate::{
    app::{App, AppState, router},
    append, auth,
    clock::{Clock as _, SystemClock},
    config::{Config, ConfigProblem},
    database::{Address, OpenError},
    demo,
    embed::script_tag,
    keys,
    ledger::checkpoints::{self, Due, Grown, Mismatch},
    limits::Limits,
    listen,
    publish::{PublishError, Published},
    random::SystemRandom,
    retention,
    witness::{Watch, Witnessed},
};

/// The one organisation of a server that a single owner runs.
const ORGANISATION: OrganisationId = OrganisationId(Uuid::from_u128(1));
const OWNER: Uuid = Uuid::from_u128(2);
/// The owner's address until one is configured.
const OWNER_EMAIL: &str = "owner@localhost";

/// How often the server looks for configurations that another process published.
const REFRESH: Duration = Duration::from_secs(2);
/// How often what has expired is deleted.
const SWEEP: Duration = Duration::from_mins(10);
/// How long requests under way may take once the server is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// How long what waits for its commit may take then.
const DRAIN: Duration = Duration::from_secs(30);

/// Why a command failed, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// A site's configuration is wrong.
    #[error("the site's configuration cannot be published:{}", lines(.0))]
    Site(Vec<ConfigError>),
    /// The port is taken.
    #[error("{0} is in use by another program. Choose another address with --listen.")]
    Taken(SocketAddr),
    /// The store failed.
    #[error("{}", with_causes(.0))]
    Store(#[from] assent_store::StoreError),
    /// A site's log is not what was signed.
    #[error(
        "the log of the site {0} is not to be trusted: {1}.\n\
         The database was altered, damaged, or put together from copies of different times. The server does not go on \
         with it, because what it signs from now on would hide that.\n\
         `assent audit` names what was altered; then put back the last copy of the database that the audit finds in \
         order."
    )]
    Log(String, #[source] Mismatch),
    /// A site's last checkpoint was signed with a key that is gone.
    #[error(
        "the last checkpoint of the log of the site {0}, of {1} entries, is signed with a key that this server does not \
         have, so it cannot tell whether the log was altered.\n\
         If the file receipt-key was lost or replaced, put the old one back; or, if only its public key is left, add \
         that as a line to the file retired-keys in the data folder: the `x` of the key in a copy of \
         /.well-known/jwks.json. Receipts of that key verify again, too."
    )]
    UnknownKey(String, u64),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Site(vec![error])
    }
}

fn lines(faults: &[ConfigError]) -> String {
    faults
        .iter()
        .fold(String::new(), |lines, fault| lines + "\n  " + &fault.to_string())
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => error.into(),
            error @ OpenError::Folder(..) => Self::Other(error.to_string()),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Config(error) => error.into(),
            PublishError::Store(error) => error.into(),
            PublishError::Interrupted(error) => Self::Other(error.to_string()),
        }
    }
}

/// An error with what lies below it, for the operator's eyes only.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn other(what: &str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Other(format!("{what}: {error}"))
}

/// One core is left to the database, which writes by one thread: on two cores a server stores a third more records so.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.saturating_sub(1).max(1))
        .enable_all()
        .build()
        .map_err(other("cannot start"))
}

fn address(config: &Config) -> Address {
    // The configuration was checked.
    let address = config.server.database();
    address.unwrap_or_else(|| Address::in_folder(&config.server.data))
}

async fn open(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    let store = address(config).open().await?;
    store.ensure_organisation(ORGANISATION, "Default").await?;
    Ok(store)
}

/// Publishes a site's configuration into the data folder; with whether that made a new revision.
pub(crate) fn publish(config: &Config, site: &SiteConfig) -> Result<(Revision, bool), Failure> {
    if let Some(folder) = address(config).missing().and_then(Path::parent)
        && folder != Path::new("")
        && !folder.is_dir()
    {
        let problem = format!(
            "there is no folder {}. Name the server's with --data; `assent serve` makes it.",
            folder.display()
        );
        return Err(Failure::Other(problem));
    }
    runtime()?.block_on(async {
        let store = open(config).await?;
        let before = current(store.as_ref(), &site.id).await?;
        let revision = put(store.as_ref(), site).await?;
        store.close().await;
        let is_new = before.is_none_or(|before| before.number != revision.number);
        Ok((revision, is_new))
    })
}

/// The site's present revision.
async fn current(store: &dyn Store, site: &str) -> Result<Option<Revision>, Failure> {
    let revisions = store.sites(ORGANISATION).await?;
    Ok(revisions.into_iter().find(|revision| revision.config.id == site))
}

/// Opens a database that a server has made.
async fn open_existing(config: &Config) -> Result<Arc<dyn Store>, Failure> {
    if let Some(file) = address(config).missing() {
        return Err(Failure::Other(format!(
            "there is no {}. Name the server's folder with --data, or its database with --database.",
            file.display()
        )));
    }
    open(config).await
}

/// The configuration of a site that is published in the server's database.
pub(crate) fn published(config: &Config, site: &str) -> Result<SiteConfig, Failure> {
    runtime()?.block_on(async {
        let store = open_existing(config).await?;
        let found = current(store.as_ref(), site).await?;
        store.close().await;
        found
            .map(|revision| revision.config)
            .ok_or_else(|| Failure::Other(format!("no site {site} is published in {}", address(config))))
    })
}

/// Makes a one-time link with which the owner signs in and sets a password: the first, or a new one.
pub(crate) fn sign_in_link(config: &Config) -> Result<String, Failure> {
    runtime()?.block_on(async {
        let store = open_existing(config).await?;
        let owner = ensure_owner(store.as_ref(), config).await?;
        let link = link(
            store.as_ref(),
            owner.id,
            &config.server.origin(config.server.listen),
        )
        .await?;
        store.close().await;
        Ok(link)
    })
}

/// Puts a new signing key in place of the present one; returns its id.
pub(crate) fn rotate_keys(config: &Config) -> Result<String, Failure> {
    keys::rotate(&config.server.data, &SystemRandom).map_err(other("the signing key cannot be replaced"))
}

/// The one owner, with the configured address.
async fn ensure_owner(store: &dyn Store, config: &Config) -> Result<Owner, Failure> {
    let email = match config.server.owner_email.as_str() {
        "" => match store.owner(OWNER).await? {
            Some(owner) => return Ok(owner),
            None => OWNER_EMAIL,
        },
        email => email,
    };
    Ok(store.ensure_owner(ORGANISATION, OWNER, email).await?)
}

async fn link(store: &dyn Store, owner: Uuid, origin: &str) -> Result<String, Failure> {
    let token = auth::sign_in_token(store, &SystemRandom, &SystemClock, owner)
        .await
        .map_err(|error| Failure::Other(with_causes(&error)))?;
    Ok(format!("{origin}/console/link?t={token}"))
}

/// Checks a configuration and stores it as a revision.
async fn put(store: &dyn Store, site: &SiteConfig) -> Result<Revision, Failure> {
    let mut faults = site.faults();
    faults.extend(
        site.languages
            .iter()
            .filter_map(|language| crate::texts::of(site, language).err()),
    );
    if !faults.is_empty() {
        return Err(Failure::Site(faults));
    }
    Ok(store
        .publish_revision(ORGANISATION, site, SystemClock.now_ms())
        .await?)
}

/// Runs the server until it is told to end.
pub(crate) fn serve(config: &Config, demo: bool) -> Result<(), Failure> {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ASSENT_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,assent_server=info")),
        )
        .init();
    let runtime = runtime()?;
    let ended = runtime.block_on(run(config, demo));
    // A witness may still wait for another server's answer.
    runtime.shutdown_background();
    ended
}

async fn run(config: &Config, demo: bool) -> Result<(), Failure> {
    // First of all the port: another server on the same data must not be disturbed by one that cannot start.
    let wanted = config.server.listen;
    let listener = TcpListener::bind(wanted)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Failure::Taken(wanted),
            _ => Failure::Other(format!("cannot listen on {wanted}: {error}")),
        })?;
    let listen = listener.local_addr().map_err(other("cannot listen"))?;
    let origin = config.server.origin(listen);

    let data = &config.server.data;
    fs::create_dir_all(data).map_err(other(&format!("cannot create {}", data.display())))?;
    let store = open(config).await?;
    let owner = ensure_owner(store.as_ref(), config).await?;
    if demo {
        let site = demo::config_at(&origin).map_err(Failure::Other)?;
        put(store.as_ref(), &site).await?;
    }
    let keys =
        keys::load_or_create(data, &SystemRandom).map_err(other("the signing key cannot be read or made"))?;
    let grown = Grown::default();
    for revision in store.current_revisions().await? {
        let site = revision.config.id;
        checkpoints::check_edge(store.as_ref(), &site, &keys.known)
            .await
            .map_err(|mismatch| match mismatch {
                Mismatch::Head {
                    size,
                    why: NoteError::UnknownKey,
                } => Failure::UnknownKey(site.clone(), size),
                mismatch => Failure::Log(site.clone(), mismatch),
            })?;
        // What was stored just before the server last ended may not be signed yet.
        grown.add(&site);
    }
    let (queue, appender) = append::start(Arc::clone(&store), config.limits.queue_len, grown.clone());
    let witnessed = Witnessed::load(&config.server.data).map_err(Failure::Other)?;
    let watches = Watch::all(&config.witness.logs, &config.server.data).map_err(Failure::Other)?;
    let app = Arc::new(App {
        store: Arc::clone(&store),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        signer: keys.signer,
        known_keys: keys.known,
        queue,
        published: Published::new(origin.clone()),
        limits: Limits::new(&config.limits),
        passwords: auth::Passwords::new(),
        trusted_proxies: config.proxy.trusted.clone(),
        country_header: HeaderName::try_from(&config.proxy.country_header).ok(),
        witnessed,
        origin,
        demo,
    });
    app.published.refresh(store.as_ref()).await?;
    // Before anything says that the server is there.
    let ending = Ending::listen()?;
    greet(&app, &owner, listen).await?;

    let (stop, stopped) = watch::channel(false);
    let jobs = tokio::spawn(jobs(Arc::clone(&app), grown.clone(), stopped.clone()));
    if !watches.is_empty() {
        let every = Duration::from_secs(config.witness.every_s.into());
        tokio::spawn(witness(Arc::clone(&app), watches, every, stopped.clone()));
    }
    let keeping = tokio::spawn({
        let (app, stopped) = (Arc::clone(&app), stopped.clone());
        async move { retention::run(&app, stopped).await }
    });
    let mut stopped = stopped;
    let served = tokio::spawn(listen::serve(listener, router(Arc::clone(&app)), async move {
        ended(&mut stopped).await;
    }));
    ending.told().await;
    println!("Ending …");
    let _ = stop.send(true);
    if tokio::time::timeout(GRACE, served).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    let due = jobs.await.unwrap_or_default();
    let _ = keeping.await;
    if tokio::time::timeout(DRAIN, appender.finish()).await.is_err() {
        tracing::error!("the database does not answer; what waited for it was not acknowledged");
    }
    for site in due.rest(&grown) {
        sign(&app, &site).await;
    }
    store.close().await;
    Ok(())
}

/// What is done from time to time, until the server is to end. Returns the logs that wait for a checkpoint then.
async fn jobs(app: AppState, grown: Grown, mut stopped: watch::Receiver<bool>) -> Due {
    let mut refresh = tokio::time::interval(REFRESH);
    let mut sweep = tokio::time::interval(SWEEP);
    refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = tokio::time::interval(checkpoints::TICK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut due = Due::default();
    loop {
        tokio::select! {
            () = ended(&mut stopped) => return due,
            _ = look.tick() => {
                for site in due.look(&grown) {
                    if !sign(&app, &site).await {
                        grown.add(&site);
                    }
                }
            }
            _ = refresh.tick() => {
                if let Err(error) = app.published.refresh(app.store.as_ref()).await {
                    tracing::error!(error = with_causes(&error), "cannot look for new revisions");
                }
            }
            _ = sweep.tick() => {
                app.limits.sweep();
                if let Err(error) = app.store.sweep(app.clock.now_ms()).await {
                    tracing::error!(error = with_causes(&error), "cannot delete what has expired");
                }
            }
        }
    }
}

/// Looks at other servers' logs and countersigns what goes on from there.
async fn witness(
    app: AppState,
    mut watches: Vec<Watch>,
    every: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let mut look = tokio::time::interval(every);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = ended(&mut stopped) => return,
            _ = look.tick() => (),
        }
        let app = Arc::clone(&app);
        let looked = tokio::task::spawn_blocking(move || {
            for watch in &mut watches {
                let (key, now_ms) = (app.signer.key(), app.clock.now_ms());
                if let Err(error) = watch.look(key, app.host(), now_ms, &app.witnessed) {
                    let address = watch.address();
                    tracing::error!(log = address, error = with_causes(&error), "not countersigned");
                }
            }
            watches
        });
        match looked.await {
            Ok(back) => watches = back,
            Err(error) => return tracing::error!(%error, "the witness ended badly"),
        }
    }
}

/// Signs a checkpoint of a site's log, if it has grown. False where the database could not be read or written, which
/// may be over soon.
async fn sign(app: &App, site: &str) -> bool {
    let now_ms = app.clock.now_ms();
    match checkpoints::sign(app.store.as_ref(), site, &app.signatory(), now_ms).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(site, error = with_causes(&error), "cannot sign a checkpoint");
            !matches!(error, Mismatch::Log(_))
        }
    }
}

/// Waits until the server is to end.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Ctrl-C and SIGTERM, from now on: before, either kills the process.
struct Ending {
    interrupt: unix::Signal,
    terminate: unix::Signal,
}

impl Ending {
    fn listen() -> Result<Self, Failure> {
        let signal = |kind| unix::signal(kind).map_err(other("cannot wait for signals"));
        Ok(Self {
            interrupt: signal(unix::SignalKind::interrupt())?,
            terminate: signal(unix::SignalKind::terminate())?,
        })
    }

    async fn told(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Says where everything is: the addresses last, next to the prompt.
async fn greet(app: &App, owner: &Owner, listen: SocketAddr) -> Result<(), Failure> {
    let origin = &app.origin;
    let mut text = format!("\nAssent listens on {listen}\n\n");
    let sites = app.store.sites(ORGANISATION).await?;
    for site in &sites {
        let _ = writeln!(
            text,
            "Paste into the head of every page of {}:\n  {}\n",
            site.config.name,
            script_tag(origin, &site.config)
        );
    }
    if sites.is_empty() {
        text.push_str("No site yet: publish one with `assent publish FILE`.\n\n");
    }
    if app.demo {
        let _ = writeln!(text, "Demo page          {origin}/demo/");
    }
    for site in &sites {
        let _ = writeln!(text, "Preference center  {origin}/c/{}", site.config.id);
    }
    let _ = writeln!(text, "Console            {origin}/console");
    if owner.password_hash.is_none() {
        let link = link(app.store.as_ref(), owner.id, origin).await?;
        let _ = writeln!(text, "One-time sign-in   {link}");
    }
    text.push('\n');
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(other("cannot write to the terminal"))
}
