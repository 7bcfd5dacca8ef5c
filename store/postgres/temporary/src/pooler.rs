//! PgBouncer before a server: each transaction gets another of a few connections.

use std::{
    env, fs, io,
    os::unix::{net::UnixStream, process::CommandExt as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use crate::{ROLE, Server, give, unprivileged};

const PORT: u16 = 6432;
const POLLS_MAX: u32 = 100;

/// Ends it by its own process id, when the process that started it has ended.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
"$1" --quiet "$2" & pooler=$!
read -r _
kill -KILL "$pooler"
"#;

/// A running PgBouncer. It ends when it is dropped, or with this process.
#[derive(Debug)]
pub struct Pooler<'a> {
    shell: Child,
    server: &'a Server,
}

impl<'a> Pooler<'a> {
    /// Starts PgBouncer with a socket beside the server's.
    ///
    /// # Errors
    /// There is no PgBouncer, or it does not start.
    pub fn start(server: &'a Server) -> io::Result<Self> {
        let program = program().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "there is no PgBouncer. Install it (Debian: sudo apt install pgbouncer).",
            )
        })?;
        let folder = server.socket();
        let settings = folder.join("pgbouncer.ini");
        let place = folder.display();
        fs::write(
            &settings,
            format!(
                "[databases]\n* = host={place} user={ROLE}\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
                 unix_socket_dir = {place}\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 2\n\
                 logfile = {place}/pgbouncer.log\n"
            ),
        )?;
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "sh"])
            .arg(program)
            .arg(&settings)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        give(&settings)?;
        if let Some((user, group)) = unprivileged()? {
            shell.uid(user).gid(group);
        }
        let pooler = Self {
            shell: shell.spawn()?,
            server,
        };
        for _ in 0..POLLS_MAX {
            if UnixStream::connect(folder.join(format!(".s.PGSQL.{PORT}"))).is_ok() {
                return Ok(pooler);
            }
            thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(folder.join("pgbouncer.log")).unwrap_or_default();
        Err(io::Error::other(format!("PgBouncer does not start:\n{log}")))
    }

    /// The address of a database, by way of PgBouncer.
    pub fn address(&self, database: &str) -> String {
        let folder = self.server.socket().display();
        format!("postgres://{ROLE}@localhost:{PORT}/{database}?host={folder}&statement-cache-capacity=0")
    }
}

impl Drop for Pooler<'_> {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It may have ended by itself; either way it is gone.
        let _ = self.shell.wait();
    }
}

/// PgBouncer's program; Debian's is where only root looks.
pub fn program() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}
