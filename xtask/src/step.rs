//! A step of a build: one line of progress, and skipped where nothing changed.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{Result, paths, process};

/// Runs `work` unless its inputs are what they were when it last succeeded and all its outputs exist.
///
/// `inputs` are files and folders relative to the working tree's root; their contents count, not their
/// dates, so that a fresh clone with a cached target folder builds nothing twice. One that does not exist
/// counts as empty.
///
/// # Errors
/// What `work` or the file system reports.
pub(crate) fn when_changed(
    name: &str,
    inputs: &[&str],
    outputs: &[PathBuf],
    work: impl FnOnce() -> Result + Send,
) -> Result {
    let stamp = paths::scratch().join(format!("{}.stamp", name.replace(' ', "-")));
    let now = fingerprint(inputs)?;
    let unchanged = fs::read_to_string(&stamp).is_ok_and(|then| then == now);
    if unchanged && outputs.iter().all(|output| output.exists()) {
        return Ok(());
    }
    always(name, work)?;
    fs::create_dir_all(paths::scratch())?;
    fs::write(stamp, now)?;
    Ok(())
}

/// Runs `work` and shows its name and how long it takes.
///
/// # Errors
/// What `work` reports.
#[expect(clippy::disallowed_methods, reason = "measures how long a build step takes")]
pub(crate) fn always<T: Send>(name: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let mut out = std::io::stderr();
    let lively = out.is_terminal();
    write!(out, "{name:>14} … ")?;
    out.flush()?;
    let start = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let (finished, wait) = mpsc::channel::<()>();
        let worker = scope.spawn(move || {
            // Dropped at the end of the work, however it ends.
            let _finished = finished;
            work()
        });
        while wait.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
            if lively {
                write!(out, "\r{name:>14} … {} s ", start.elapsed().as_secs())?;
                out.flush()?;
            }
        }
        worker.join().map_err(|_| format!("{name} panicked"))?
    });
    let seconds = start.elapsed().as_secs_f64();
    let again = if lively {
        format!("\r{name:>14} … ")
    } else {
        String::new()
    };
    match &outcome {
        Ok(_) => writeln!(out, "{again}{seconds:.1} s")?,
        Err(_) => writeln!(out, "{again}failed after {seconds:.1} s")?,
    }
    outcome
}

/// Writes a file only where its content changes, so that what depends on its date is not built for nothing.
///
/// # Errors
/// The file system's.
pub(crate) fn write_if_changed(path: &Path, content: &[u8]) -> Result {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(())
}

fn fingerprint(inputs: &[&str]) -> Result<String> {
    let mut files = BTreeMap::new();
    for input in inputs {
        collect(&paths::root().join(input), &mut files)?;
    }
    let mut hasher = DefaultHasher::new();
    process::quiet(process::command("rustc").arg("--version"))?.hash(&mut hasher);
    files.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) -> Result {
    if path.is_dir() {
        if path.ends_with("node_modules") {
            return Ok(());
        }
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.exists() {
        files.insert(path.to_owned(), fs::read(path)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_date_when_its_content_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inner/a.css");
        write_if_changed(&file, b"a{}").unwrap();
        let before = fs::metadata(&file).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        write_if_changed(&file, b"a{}").unwrap();
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), before);
        write_if_changed(&file, b"b{}").unwrap();
        assert_ne!(fs::metadata(&file).unwrap().modified().unwrap(), before);
    }

    #[test]
    fn the_fingerprint_follows_content_and_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap().to_owned();
        fs::write(folder.path().join("a"), "1").unwrap();
        let first = fingerprint(&[&path]).unwrap();
        assert_eq!(fingerprint(&[&path]).unwrap(), first);
        fs::write(folder.path().join("a"), "2").unwrap();
        assert_ne!(fingerprint(&[&path]).unwrap(), first);
        fs::remove_file(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("b"), "1").unwrap();
        assert_ne!(fingerprint(&[&path]).unwrap(), first);
    }
}
