//! A server to measure: the demo site on a free port with a data folder of its own.

use std::{
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use crate::{Result, http::Connection, paths, process};

const POLL: Duration = Duration::from_millis(100);
const START_POLLS_MAX: u32 = 300;
/// It may sign a checkpoint and copy the write-ahead log into the database first.
const STOP_POLLS_MAX: u32 = 600;

/// Ends, and its data with it if they are its own, when dropped.
pub(crate) struct Server {
    /// Where it listens, on this machine only.
    pub(crate) address: SocketAddr,
    process: Child,
    own_data: Option<TempDir>,
}

impl Server {
    /// Starts the binary on data of its own with these settings in its environment, and waits until it answers.
    ///
    /// # Errors
    /// It does not start or does not answer within 30 seconds.
    pub(crate) fn start(binary: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let data = scratch_folder()?;
        let mut server = Self::start_on(binary, data.path(), settings)?;
        server.own_data = Some(data);
        Ok(server)
    }

    /// The same on a data folder that stays.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_on(binary: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .args(["serve", "--demo", "--data"])
            .arg(data)
            .arg("--listen")
            .arg(address.to_string())
            .envs(settings.iter().copied())
            .env("ASSENT_LOG", "warn")
            // All load comes from one address here.
            .env("ASSENT_RECORDS_PER_MINUTE", "0")
            .env("ASSENT_PROOFS_PER_MINUTE", "0");
        Self::launch(&mut command, address, "/health")
    }

    /// Starts any program that listens on this address, and waits until it answers to this path.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn launch(command: &mut Command, address: SocketAddr, path: &str) -> Result<Self> {
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                format!(
                    "cannot start {}: {error}",
                    command.get_program().to_string_lossy()
                )
            })?;
        let mut server = Self {
            address,
            process,
            own_data: None,
        };
        for _ in 0..START_POLLS_MAX {
            if Connection::open(address)
                .and_then(|mut connection| connection.get(path, ""))
                .is_ok_and(|answer| answer.status == 200)
            {
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            std::thread::sleep(POLL);
        }
        Err("the server does not answer".into())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Has it end in order, and waits until it has.
    ///
    /// # Errors
    /// It does not end within a minute, or not well.
    pub(crate) fn stop(mut self) -> Result {
        process::quiet(process::command("kill").arg(self.id().to_string()))?;
        for _ in 0..STOP_POLLS_MAX {
            match self.process.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("the server did not end well: {status}").into()),
                None => std::thread::sleep(POLL),
            }
        }
        Err("the server does not end".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address on this machine that nobody listens on.
///
/// # Errors
/// The network's.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A folder that goes when it is dropped. It is in the target folder, because /tmp may be memory, where nothing is ever
/// committed to a disk.
///
/// # Errors
/// The file system's.
pub(crate) fn scratch_folder() -> Result<TempDir> {
    std::fs::create_dir_all(paths::scratch())?;
    Ok(tempfile::tempdir_in(paths::scratch())?)
}
