//! A PostgreSQL server for tests and measurements: made in a folder of its own, reached through a socket in that folder,
//! gone with the process that started it.

mod pooler;

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

pub use pooler::{Pooler, program as pooler};

/// Where Debian keeps each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";
/// The oldest version that Assent takes.
const VERSION_MIN: u32 = 15;
/// The port in the name of a socket, where nobody else's is in the folder.
const PORT: u16 = 5432;
/// The role that owns everything.
const ROLE: &str = "assent";

/// The shell that starts the server waits for its input to end, which it does with the process that started it, however
/// that ends. Only then it ends the server, by the process id in the server's own folder.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
bin=$1 folder=$2 options=$3
{
    { test -d "$folder/data" || "$bin/initdb" --pgdata "$folder/data" --username "$4" --auth trust --encoding UTF8 --locale C.UTF-8 --no-sync; } &&
    "$bin/pg_ctl" start --wait --pgdata "$folder/data" --log "$folder/log" --options "-k $folder $options"
} >"$folder/start" 2>&1 && echo ready || { cat "$folder/start" "$folder/log"; echo; } 2>&1
exec >/dev/null 2>&1
read -r _
"$bin/pg_ctl" stop --mode immediate --pgdata "$folder/data"
rm -rf "$folder"
"#;

/// How much a server does for its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As a server in use: a commit is on the disk.
    Disk,
    /// Nothing is waited for: the data goes with the process anyway.
    None,
}

impl Durability {
    const fn options(self) -> &'static str {
        match self {
            Self::Disk => "-c listen_addresses=",
            Self::None => "-c listen_addresses= -c fsync=off -c full_page_writes=off -c max_connections=300",
        }
    }
}

/// A running server. It ends when it is dropped, or with this process.
#[derive(Debug)]
pub struct Server {
    shell: Child,
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    made: AtomicU32,
}

impl Server {
    /// Makes and starts a server below `parent`. As root it runs as the user `postgres`, else `nobody`, because
    /// PostgreSQL refuses to run as root.
    ///
    /// # Errors
    /// There is no PostgreSQL, or it does not start: the error says what it printed.
    pub fn start(parent: &Path, durability: Durability) -> io::Result<Self> {
        let folder = folder(parent)?;
        Self::launch(folder, PORT, durability.options())
    }

    /// The same on a copy of data that [`Self::keep`] has left.
    ///
    /// # Errors
    /// As [`Self::start`], or the data cannot be copied.
    pub fn start_on_copy(parent: &Path, kept: &Path, durability: Durability) -> io::Result<Self> {
        let folder = folder(parent)?;
        // Owner and mode as they are: PostgreSQL takes no others. On the disk before anything is measured.
        let copied = Command::new("sh")
            .args(["-c", r#"cp -a "$1" "$2" && sync -f "$2""#, "sh"])
            .arg(kept)
            .arg(folder.path().join("data"))
            .status()?;
        if !copied.success() {
            return Err(io::Error::other(format!("{} cannot be copied", kept.display())));
        }
        Self::launch(folder, PORT, durability.options())
    }

    /// Makes and starts one that also answers on a free port of `localhost`, with a certificate and its key in PEM.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_with_tls(parent: &Path, certificate: &str, key: &str) -> io::Result<Self> {
        let folder = folder(parent)?;
        for (name, text) in [("tls.crt", certificate), ("tls.key", key)] {
            let file = folder.path().join(name);
            fs::write(&file, text)?;
            // It takes no key that others may read.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
            give(&file)?;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let options = format!(
            "-p {port} -c listen_addresses=localhost -c fsync=off -c ssl=on -c ssl_cert_file={0}/tls.crt -c ssl_key_file={0}/tls.key",
            folder.path().display()
        );
        Self::launch(folder, port, &options)
    }

    fn launch(folder: TempDir, port: u16, options: &str) -> io::Result<Self> {
        let programs = programs().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "there is no PostgreSQL 15 or later. Install it (Debian: sudo apt install postgresql), or name the folder of \
                 its programs in PG_BIN.",
            )
        })?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "sh"])
            .arg(&programs)
            .arg(folder.path())
            .args([options, ROLE])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some((user, group)) = unprivileged()? {
            shell.uid(user).gid(group);
        }
        let mut shell = shell.spawn()?;
        let mut said = String::new();
        if let Some(output) = shell.stdout.take() {
            let mut output = BufReader::new(output);
            output.read_line(&mut said)?;
            if said.trim() != "ready" {
                output.read_to_string(&mut said)?;
            }
        }
        let server = Self {
            shell,
            programs,
            folder,
            port,
            made: AtomicU32::new(0),
        };
        if said.trim() == "ready" {
            Ok(server)
        } else {
            Err(io::Error::other(format!("PostgreSQL does not start:\n{said}")))
        }
    }

    /// The one server of this process's tests.
    ///
    /// # Panics
    /// If it does not start.
    #[expect(clippy::expect_used, reason = "for tests: without a server they cannot go on")]
    pub fn of_tests() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| {
            Self::start(&std::env::temp_dir(), Durability::None).expect("PostgreSQL starts for the tests")
        })
    }

    /// Ends the server in order and moves its data to `to`, a path in the same file system where nothing is.
    ///
    /// # Errors
    /// It does not end, or the data cannot be moved.
    pub fn keep(self, to: &Path) -> io::Result<()> {
        let data = self.folder.path().join("data");
        let mut stop = Command::new(self.programs.join("pg_ctl"));
        stop.args(["stop", "--silent", "--wait", "--mode", "fast", "--pgdata"])
            .arg(&data)
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some((user, group)) = unprivileged()? {
            stop.uid(user).gid(group);
        }
        let output = stop.output()?;
        if !output.status.success() {
            return Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ));
        }
        fs::rename(data, to)
    }

    /// The address of a database.
    pub fn address(&self, database: &str) -> String {
        format!(
            "postgres://{ROLE}@localhost:{}/{database}?host={}",
            self.port,
            self.socket().display()
        )
    }

    /// The port that is in the name of its socket, and on which it answers if it does so by TLS.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the server's socket.
    pub fn socket(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of PostgreSQL's programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// Makes an empty schema; returns the address under which tables are made and found in it.
    ///
    /// # Errors
    /// What [`Self::run`] reports.
    pub fn new_schema(&self) -> io::Result<String> {
        let schema = format!("schema{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("create schema {schema}"))?;
        Ok(format!(
            "{}&options[search_path]={schema}",
            self.address("postgres")
        ))
    }

    /// Makes an empty database; returns its name.
    ///
    /// # Errors
    /// What [`Self::run`] reports.
    pub fn new_database(&self) -> io::Result<String> {
        let database = format!("database{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("create database {database}"))?;
        Ok(database)
    }

    /// Runs SQL in a database, by psql; returns what it prints.
    ///
    /// # Errors
    /// psql cannot be started, or a statement failed.
    pub fn run(&self, database: &str, sql: &str) -> io::Result<String> {
        let output = Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .args([
                "--set",
                "ON_ERROR_STOP=1",
                "--username",
                ROLE,
                "--dbname",
                database,
            ])
            .arg("--host")
            .arg(self.socket())
            .args(["--port", &self.port.to_string()])
            .args(["--command", sql])
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(
            String::from_utf8_lossy(&output.stderr).into_owned(),
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It may have ended by itself; either way it is gone.
        let _ = self.shell.wait();
    }
}

/// The folder of the newest PostgreSQL's programs; `PG_BIN` names another.
pub fn programs() -> Option<PathBuf> {
    let has_all = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "psql"]
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    if let Some(folder) = std::env::var_os("PG_BIN") {
        return Some(PathBuf::from(folder)).filter(has_all);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).find(has_all);
    on_path.or_else(|| {
        let versions = fs::read_dir(DEBIAN).ok()?;
        versions
            .filter_map(|version| {
                let folder = version.ok()?.path();
                let number: u32 = folder.file_name()?.to_str()?.parse().ok()?;
                Some((number, folder.join("bin")))
            })
            .filter(|(number, folder)| *number >= VERSION_MIN && has_all(folder))
            .max()
            .map(|(_, folder)| folder)
    })
}

fn is_root() -> io::Result<bool> {
    let id = Command::new("id").arg("-u").output()?;
    Ok(id.stdout.trim_ascii() == b"0")
}

/// A new folder that belongs to whom the server runs as.
fn folder(parent: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("pg").tempdir_in(parent)?;
    give(folder.path())?;
    Ok(folder)
}

/// Gives a file to whom the server runs as.
fn give(file: &Path) -> io::Result<()> {
    match unprivileged()? {
        Some((user, group)) => chown(file, Some(user), Some(group)),
        None => Ok(()),
    }
}

/// User and group to run as in place of root; `None` for everybody else.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    if !is_root()? {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let user = fields.nth(1)?.parse().ok()?;
            Some((user, fields.next()?.parse().ok()?))
        })
    };
    let found = find("postgres").or_else(|| find("nobody")).ok_or_else(|| {
        io::Error::other("there is neither a user postgres nor nobody to run PostgreSQL as")
    })?;
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_runs_and_leaves_nothing_behind() {
        let server = Server::start(&std::env::temp_dir(), Durability::None).unwrap();
        let folder = server.socket().to_owned();
        let database = server.new_database().unwrap();
        assert_eq!(server.run(&database, "select 6 * 7").unwrap().trim(), "42");
        assert!(server.run(&database, "select nothing").is_err());
        let id = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
        let id = id.lines().next().unwrap().to_owned();
        // A process that has ended may stay listed for a while, without a command line.
        let runs = || fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|command| !command.is_empty());
        assert!(runs());
        drop(server);
        assert!(!folder.exists());
        assert!(!runs());
    }

    #[test]
    fn what_is_kept_is_copied_as_often_as_one_likes() {
        let parent = std::env::temp_dir();
        let kept = folder(&parent).unwrap();
        let data = kept.path().join("kept");
        let server = Server::start(&parent, Durability::None).unwrap();
        server
            .run("postgres", "create table kept as select 7 as number")
            .unwrap();
        let was = server.socket().to_owned();
        server.keep(&data).unwrap();
        assert!(!was.exists());
        for _ in 0..2 {
            let server = Server::start_on_copy(&parent, &data, Durability::None).unwrap();
            let numbers = server.run("postgres", "select number from kept").unwrap();
            assert_eq!(numbers.trim(), "7");
            server.run("postgres", "delete from kept").unwrap();
        }
    }
}
