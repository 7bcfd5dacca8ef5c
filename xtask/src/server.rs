//! A server to measure: the demo site on a free port with a data folder of its own.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Result, http::Connection, paths};

const START_POLLS_MAX: u32 = 300;

/// Ends, and its data with it, when dropped.
pub(crate) struct Server {
    /// Where it listens, on this machine only.
    pub(crate) address: SocketAddr,
    process: Child,
    _data: TempDir,
}

impl Server {
    /// Starts the binary with these settings in its environment, and waits until it answers.
    ///
    /// # Errors
    /// It does not start or does not answer within 30 seconds.
    pub(crate) fn start(binary: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        // In the target folder, because /tmp may be memory, where nothing is ever committed to a disk.
        std::fs::create_dir_all(paths::scratch())?;
        let data = tempfile::tempdir_in(paths::scratch())?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = Command::new(binary)
            .args(["serve", "--demo", "--data"])
            .arg(data.path())
            .arg("--listen")
            .arg(address.to_string())
            .envs(settings.iter().copied())
            .env("ASSENT_LOG", "warn")
            // All load comes from one address here.
            .env("ASSENT_RECORDS_PER_MINUTE", "0")
            .env("ASSENT_PROOFS_PER_MINUTE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let mut server = Self {
            address,
            process,
            _data: data,
        };
        for _ in 0..START_POLLS_MAX {
            if Connection::open(address)
                .and_then(|mut connection| connection.get("/health", ""))
                .is_ok_and(|answer| answer.status == 200)
            {
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the server does not answer".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
