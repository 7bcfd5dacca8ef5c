//! The command line.

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use assent_consent::site::SiteConfig;
use clap::{Args, Parser, Subcommand};

use crate::{
    backup,
    config::Config,
    database::Address,
    demo, embed,
    ledger::command::{self, Earlier, Outcome, Place},
    migrate, policies, publish,
    serve::{self, Failure},
};

/// Consent management: banner, gate, receipts and rates.
#[derive(Debug, Parser)]
#[command(name = "assent", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve {
        #[command(flatten)]
        options: Options,
        /// Publish the demo site and serve its pages at /demo/.
        #[arg(long)]
        demo: bool,
        /// Print the configuration that is in effect, as TOML and without passwords, and end.
        #[arg(long)]
        print_config: bool,
    },
    /// Publish a site's configuration (JSON). A running server takes it up within seconds.
    Publish {
        /// The configuration.
        file: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Print a new one-time link with which the owner signs in and sets a password.
    SignIn {
        #[command(flatten)]
        options: Options,
    },
    /// Print what to paste into a site's pages, with the inline stub and its CSP hash.
    Embed {
        /// Id of the site.
        site: String,
        #[command(flatten)]
        options: Options,
    },
    /// Print a Content Security Policy for each state of consent, as nginx writes it: the second wall.
    Csp {
        /// Id of the site.
        site: String,
        #[command(flatten)]
        options: Options,
    },
    /// Check a receipt: its signature, and that its record is in the site's log. Ends with 0 if all holds, with 1 if
    /// something does not, with 2 if it could not be checked.
    Verify {
        /// The receipt (.jws).
        receipt: PathBuf,
        /// The log: a server's address, or its data folder.
        #[arg(long, value_name = "URL|DIR")]
        log: Option<String>,
        /// The database, if it is not in the data folder.
        #[arg(long, env = "ASSENT_DATABASE", value_name = "ADDRESS", hide_env_values = true)]
        database: Option<String>,
        /// A proof that was kept beside the receipt, in place of the log.
        #[arg(long, conflicts_with = "log")]
        proof: Option<PathBuf>,
        /// Keys to check with (a copy of the server's /.well-known/jwks.json), in place of those that the log has.
        #[arg(long)]
        keys: Option<PathBuf>,
        /// Addresses of witnesses: whether the record is among what each has countersigned last.
        #[arg(long, value_name = "URL", requires = "log")]
        witness: Vec<String>,
    },
    /// Replay a site's log and say what was altered, removed or added. Ends as `verify` does.
    Audit {
        /// The log: a server's address (with --site), or the log's own.
        #[arg(long, value_name = "URL", required_unless_present = "data")]
        log: Option<String>,
        /// The data folder, with which the records are compared, too.
        #[arg(long, value_name = "DIR", conflicts_with = "log")]
        data: Option<PathBuf>,
        /// The database, if it is not in the data folder.
        #[arg(long, env = "ASSENT_DATABASE", value_name = "ADDRESS", hide_env_values = true)]
        database: Option<String>,
        /// Id of the site; all of the database's if none is given.
        #[arg(long)]
        site: Option<String>,
        /// A checkpoint that was kept elsewhere: the log must begin with what it signs.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// A witness's address: the log must begin with what it has countersigned last.
        #[arg(long, value_name = "URL", conflicts_with = "checkpoint", requires = "site")]
        witness: Option<String>,
        /// Keys to check with (a copy of the server's /.well-known/jwks.json), in place of those that the log has.
        #[arg(long)]
        keys: Option<PathBuf>,
    },
    /// Move everything to another database and compare the logs at the end. End the server first. Called again after an
    /// interruption, it goes on where it was.
    Migrate {
        /// The database to read: postgres://…, sqlite:FILE, or a data folder.
        #[arg(long, value_name = "ADDRESS")]
        from: String,
        /// The database to move to: postgres://… or sqlite:FILE.
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// The server's data folder, with the keys to check the logs with.
        #[arg(long, env = "ASSENT_DATA", default_value = "data")]
        data: PathBuf,
    },
    /// Copy an SQLite database into one file, also while the server runs. It holds no secret key. For PostgreSQL there is
    /// `pg_dump`.
    Backup {
        /// The server's data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a backup into a data folder that has no database, if an audit finds it in order. Ends as `verify` does.
    Restore {
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// The key that signs receipts and checkpoints.
    Keys {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Print the loader of a configuration, as visitors get it, without publishing anything.
    Loader {
        /// The configuration (JSON); the demo site's if none is given.
        file: Option<PathBuf>,
        /// Language; the site's first if none is given.
        #[arg(long)]
        lang: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Put a new key in place of the present one, which goes on to verify what it signed. Restart the server after it.
    Rotate {
        #[command(flatten)]
        options: Options,
    },
}

/// Settings; each is taken from its flag, else its environment variable, else the TOML file.
#[derive(Debug, Args)]
struct Options {
    /// TOML file with settings.
    #[arg(long, env = "ASSENT_CONFIG")]
    config: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:8787].
    #[arg(long, env = "ASSENT_LISTEN")]
    listen: Option<std::net::SocketAddr>,
    /// Origin under which browsers reach the server, such as `https://consent.example`.
    #[arg(long, env = "ASSENT_PUBLIC_URL")]
    public_url: Option<String>,
    /// Folder of the signing key, and of the database unless --database names another [default: data].
    #[arg(long, env = "ASSENT_DATA")]
    data: Option<PathBuf>,
    /// The database: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or sqlite:FILE [default: assent.db in the data folder].
    #[arg(long, env = "ASSENT_DATABASE", value_name = "ADDRESS", hide_env_values = true)]
    database: Option<String>,
    /// E-mail address with which the owner signs in to the console [at first: owner@localhost].
    #[arg(long, env = "ASSENT_OWNER_EMAIL")]
    owner_email: Option<String>,
    /// Addresses of proxies whose X-Forwarded-For is believed, parted by commas.
    #[arg(long, env = "ASSENT_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Option<Vec<std::net::IpAddr>>,
    /// Header with the visitor's country, set by a trusted proxy, such as CF-IPCountry.
    #[arg(long, env = "ASSENT_COUNTRY_HEADER")]
    country_header: Option<String>,
    /// Consent records a minute for one address and site; 0: no limit [default: 300].
    #[arg(long, env = "ASSENT_RECORDS_PER_MINUTE")]
    records_per_minute: Option<u32>,
    /// Impressions a minute for one address and site; 0: no limit [default: 1200].
    #[arg(long, env = "ASSENT_EVENTS_PER_MINUTE")]
    events_per_minute: Option<u32>,
    /// Tokens between site and center a minute for one address and site; 0: no limit [default: 120].
    #[arg(long, env = "ASSENT_HANDOVERS_PER_MINUTE")]
    handovers_per_minute: Option<u32>,
    /// Attempts to sign in a minute for one address; 0: no limit [default: 10].
    #[arg(long, env = "ASSENT_SIGN_INS_PER_MINUTE")]
    sign_ins_per_minute: Option<u32>,
    /// Records and proofs asked for a minute by one address of one site; 0: no limit [default: 600].
    #[arg(long, env = "ASSENT_PROOFS_PER_MINUTE")]
    proofs_per_minute: Option<u32>,
    /// Submissions that may wait for a commit [default: 4096].
    #[arg(long, env = "ASSENT_QUEUE_LEN")]
    queue_len: Option<usize>,
}

impl Options {
    fn config(self) -> Result<Config, Failure> {
        let mut config = Config::read(self.config.as_deref())?;
        set(&mut config.server.listen, self.listen);
        set(&mut config.server.public_url, self.public_url);
        set(&mut config.server.data, self.data);
        set(&mut config.server.database, self.database);
        set(&mut config.server.owner_email, self.owner_email);
        set(&mut config.proxy.trusted, self.trusted_proxies);
        set(&mut config.proxy.country_header, self.country_header);
        set(&mut config.limits.records_per_minute, self.records_per_minute);
        set(&mut config.limits.events_per_minute, self.events_per_minute);
        set(&mut config.limits.handovers_per_minute, self.handovers_per_minute);
        set(&mut config.limits.sign_ins_per_minute, self.sign_ins_per_minute);
        set(&mut config.limits.proofs_per_minute, self.proofs_per_minute);
        set(&mut config.limits.queue_len, self.queue_len);
        config.check()?;
        Ok(config)
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

/// Reads the command line and does what it says.
pub fn run() -> ExitCode {
    let command = Cli::parse().command;
    // Of these commands, 1 says that something does not hold.
    let failed = match command {
        Command::Verify { .. } | Command::Audit { .. } | Command::Restore { .. } => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    };
    match execute(command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("assent: {failure}");
            failed
        }
    }
}

fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve {
            options,
            demo,
            print_config,
        } => {
            let config = options.config()?;
            if print_config {
                print(&as_toml(&config)?)?;
            } else {
                serve::serve(&config, demo)?;
            }
        }
        Command::Publish { file, options } => print(&publish(&options.config()?, &read_site(&file)?)?)?,
        Command::SignIn { options } => print(&format!("{}\n", serve::sign_in_link(&options.config()?)?))?,
        Command::Embed { site, options } => {
            let config = options.config()?;
            let site = serve::published(&config, &site)?;
            print(&embed::forms(&config.server.origin(config.server.listen), &site))?;
        }
        Command::Csp { site, options } => {
            let config = options.config()?;
            let site = serve::published(&config, &site)?;
            print(&policies::policies(
                &config.server.origin(config.server.listen),
                &site,
            ))?;
        }
        Command::Loader { file, lang } => {
            let site = match file {
                Some(file) => read_site(&file)?,
                None => demo::config().map_err(Failure::Other)?,
            };
            print(&publish::loader::preview(&site, lang.as_deref())?)?;
        }
        Command::Verify {
            receipt,
            log,
            database,
            proof,
            keys,
            witness,
        } => {
            let database = database.unwrap_or_default();
            let place = log.map(|log| Place::of(&log, &database)).transpose()?;
            let work = command::verify(
                &receipt,
                place.as_ref(),
                keys.as_deref(),
                proof.as_deref(),
                &witness,
            );
            return report(&serve::runtime()?.block_on(work)?);
        }
        Command::Audit {
            log,
            data,
            database,
            site,
            checkpoint,
            witness,
            keys,
        } => {
            let database = database.unwrap_or_default();
            let place = match data {
                Some(data) => Place::folder(data, &database),
                None => Place::of(&log.unwrap_or_default(), &database),
            }?;
            let earlier = match (&checkpoint, &witness) {
                (Some(file), _) => Some(Earlier::Kept(file)),
                (None, Some(address)) => Some(Earlier::Witnessed(address)),
                (None, None) => None,
            };
            let work = command::audit(&place, site.as_deref(), keys.as_deref(), earlier.as_ref());
            return report(&serve::runtime()?.block_on(work)?);
        }
        Command::Migrate { from, to, data } => {
            let (from, to) = (database_of(&from)?, database_of(&to)?);
            let work = migrate::run(&from, &to, &data);
            print(&serve::runtime()?.block_on(work)?)?;
        }
        Command::Backup { data, to } => {
            print(&serve::runtime()?.block_on(backup::back_up(&data, &to))?)?;
        }
        Command::Restore { from, data } => {
            return report(&serve::runtime()?.block_on(backup::restore(&from, &data))?);
        }
        Command::Keys {
            command: KeyCommand::Rotate { options },
        } => print(&format!(
            "The new key is {}. Restart the server to sign with it.\n",
            serve::rotate_keys(&options.config()?)?
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn as_toml(config: &Config) -> Result<String, Failure> {
    config
        .in_effect()
        .to_toml()
        .map_err(|error| Failure::Other(error.to_string()))
}

fn publish(config: &Config, site: &SiteConfig) -> Result<String, Failure> {
    let (revision, is_new) = serve::publish(config, site)?;
    let what = if is_new {
        "is published as"
    } else {
        "is unchanged since"
    };
    Ok(format!("{} {what} revision {}.\n", site.id, revision.number))
}

fn database_of(text: &str) -> Result<Address, Failure> {
    Address::or_folder(text).ok_or_else(|| {
        Failure::Other(format!(
            "{text} is neither postgres://… nor sqlite:FILE nor a folder"
        ))
    })
}

fn report(outcome: &Outcome) -> Result<ExitCode, Failure> {
    print(&outcome.text)?;
    Ok(if outcome.holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn read_site(file: &PathBuf) -> Result<SiteConfig, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Other(format!("cannot read {}: {error}", file.display())))?;
    let mut reader = serde_json::Deserializer::from_str(&text);
    let site = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?;
    reader
        .end()
        .map_err(|error| Failure::Other(format!("{}: {error}", file.display())))?;
    Ok(site)
}

fn print(text: &str) -> Result<(), Failure> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::Other(error.to_string()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_go_before_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("assent.toml");
        fs::write(&file, "[limits]\nrecords_per_minute = 7\nevents_per_minute = 8\n").unwrap();
        let cli = Cli::parse_from([
            "assent",
            "serve",
            "--config",
            file.to_str().unwrap(),
            "--records-per-minute",
            "0",
        ]);
        let Command::Serve { options, .. } = cli.command else {
            panic!("another command");
        };
        let limits = options.config().unwrap().limits;
        assert_eq!((limits.records_per_minute, limits.events_per_minute), (0, 8));
        assert_eq!(limits.handovers_per_minute, 120);
    }

    #[test]
    fn what_is_printed_is_in_effect_and_tells_no_password() {
        let cli = Cli::parse_from([
            "assent",
            "serve",
            "--print-config",
            "--listen",
            "127.0.0.1:9000",
            "--database",
            "postgres://ada:secret@db.example/assent",
        ]);
        let Command::Serve { options, .. } = cli.command else {
            panic!("another command");
        };
        let text = as_toml(&options.config().unwrap()).unwrap();
        assert!(
            text.contains("public_url = \"http://127.0.0.1:9000\"\n"),
            "{text}"
        );
        assert!(
            text.contains("database = \"postgres://ada:***@db.example/assent\"\n"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
    }
}
