//! The key that signs receipts: 32 random bytes in the data folder, made on first start.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use assent_consent::receipt::ReceiptSigner;

use crate::random::Random;

const FILE: &str = "receipt-key";

/// Reads the key, or makes it. The file holds 64 hexadecimal digits and is readable by its owner only.
pub(crate) fn load_or_create(data: &Path, random: &dyn Random) -> io::Result<ReceiptSigner> {
    let path = data.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => read(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path, random),
        Err(error) => Err(error),
    }
}

fn read(text: &str) -> io::Result<ReceiptSigner> {
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "the file receipt-key is not 64 hexadecimal digits",
        )
    })?;
    Ok(ReceiptSigner::new(&seed))
}

fn create(path: &Path, random: &dyn Random) -> io::Result<ReceiptSigner> {
    let mut seed = [0; 32];
    random.fill(&mut seed).map_err(io::Error::other)?;
    // A second process that starts at the same moment must not sign with a key that is then overwritten.
    let opened = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match opened {
        Ok(mut file) => {
            writeln!(file, "{}", hex::encode(seed))?;
            file.sync_all()?;
            Ok(ReceiptSigner::new(&seed))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&fs::read_to_string(path)?),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::random::SystemRandom;

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_create(folder.path(), &SystemRandom).unwrap();
        let second = load_or_create(folder.path(), &SystemRandom).unwrap();
        assert_eq!(first.key_id(), second.key_id());
        let mode = fs::metadata(folder.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(load_or_create(folder.path(), &SystemRandom).is_err());
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "short");
    }
}
