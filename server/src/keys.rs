//! The key that signs receipts and checkpoints: 32 random bytes in the data folder, made on first start; and the public
//! keys of those that did before it, with which old receipts are still checked.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use assent_consent::receipt::ReceiptSigner;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::VerifyingKey;

use crate::random::Random;

const FILE: &str = "receipt-key";
/// A public key on each line, the oldest first: 64 hexadecimal digits, or base64url as in a JWK, which is what is left
/// of a key that was lost.
const RETIRED: &str = "retired-keys";

/// A server's keys.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Signs.
    pub(crate) signer: ReceiptSigner,
    /// The signer's public key, then those of the past, newest first.
    pub(crate) known: Vec<VerifyingKey>,
}

/// Reads the keys, or makes the first. The file holds 64 hexadecimal digits and is readable by its owner only.
pub(crate) fn load_or_create(data: &Path, random: &dyn Random) -> io::Result<Keys> {
    let path = data.join(FILE);
    let signer = match fs::read_to_string(&path) {
        Ok(text) => read(&text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(&path, random),
        Err(error) => Err(error),
    }?;
    let known = known(data)?;
    Ok(Keys { signer, known })
}

/// The public keys in a data folder, newest first.
pub(crate) fn known(data: &Path) -> io::Result<Vec<VerifyingKey>> {
    let signer = read(&fs::read_to_string(data.join(FILE))?)?;
    let mut known = retired(data)?;
    known.push(signer.verifying_key());
    known.reverse();
    Ok(known)
}

/// Puts a new key in place of the present one, whose public half is kept. Returns the new key's id.
pub(crate) fn rotate(data: &Path, random: &dyn Random) -> io::Result<String> {
    let path = data.join(FILE);
    let old = read(&fs::read_to_string(&path)?)?;
    let mut retired = retired(data)?;
    retired.push(old.verifying_key());
    // The old key is known before the new one signs, whenever this is interrupted.
    write_retired(data, &retired)?;
    let mut seed = [0; 32];
    random.fill(&mut seed).map_err(io::Error::other)?;
    replace(&path, 0o600, &(hex::encode(seed) + "\n"))?;
    Ok(ReceiptSigner::new(&seed).key_id().to_owned())
}

/// Notes public keys of a server's past, the oldest first, as far as they are not known. The folder may have no key of
/// its own yet.
pub(crate) fn retire(data: &Path, keys: &[VerifyingKey]) -> io::Result<()> {
    let present = match fs::read_to_string(data.join(FILE)) {
        Ok(text) => Some(read(&text)?.verifying_key()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let before = retired(data)?;
    let is_known = |key: &&VerifyingKey| before.contains(key) || present.as_ref() == Some(key);
    let mut all: Vec<_> = keys.iter().filter(|key| !is_known(key)).copied().collect();
    all.extend(&before);
    write_retired(data, &all)
}

fn write_retired(data: &Path, retired: &[VerifyingKey]) -> io::Result<()> {
    let lines = retired.iter().fold(String::new(), |lines, key| {
        lines + &hex::encode(key.as_bytes()) + "\n"
    });
    replace(&data.join(RETIRED), 0o644, &lines)
}

/// Writes a file as a whole: whenever this is interrupted, it is as it was or as it is to be.
pub(crate) fn replace(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn retired(data: &Path) -> io::Result<Vec<VerifyingKey>> {
    let text = match fs::read_to_string(data.join(RETIRED)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            public(line).ok_or_else(|| {
                damaged(
                    "a line of the file retired-keys is no public key: neither 64 hexadecimal digits nor the `x` of a \
                     JWK",
                )
            })
        })
        .collect()
}

fn public(line: &str) -> Option<VerifyingKey> {
    let bytes = hex::decode(line).or_else(|_| BASE64.decode(line)).ok()?;
    VerifyingKey::from_bytes(bytes.as_slice().try_into().ok()?).ok()
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn read(text: &str) -> io::Result<ReceiptSigner> {
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed)
        .map_err(|_| damaged("the file receipt-key is not 64 hexadecimal digits"))?;
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

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_create(folder.path(), &SystemRandom).unwrap();
        let second = load_or_create(folder.path(), &SystemRandom).unwrap();
        assert_eq!(first.signer.key_id(), second.signer.key_id());
        assert_eq!(first.known, [first.signer.verifying_key()]);
        assert_eq!(mode(&folder.path().join(FILE)), 0o600);
    }

    #[test]
    fn a_damaged_key_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE), "short").unwrap();
        assert!(load_or_create(folder.path(), &SystemRandom).is_err());
        assert!(rotate(folder.path(), &SystemRandom).is_err());
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "short");
    }

    #[test]
    fn keys_of_the_past_stay_known() {
        let folder = tempfile::tempdir().unwrap();
        let mut before = load_or_create(folder.path(), &SystemRandom).unwrap();
        for _ in 0..2 {
            let id = rotate(folder.path(), &SystemRandom).unwrap();
            let after = load_or_create(folder.path(), &SystemRandom).unwrap();
            assert_eq!(after.signer.key_id(), id);
            assert_eq!(after.known[0], after.signer.verifying_key());
            assert_eq!(after.known[1..], before.known);
            before = after;
        }
        assert_eq!(mode(&folder.path().join(FILE)), 0o600);
        fs::write(folder.path().join(RETIRED), "short\n").unwrap();
        assert!(load_or_create(folder.path(), &SystemRandom).is_err());
    }

    #[test]
    fn a_lost_key_is_known_again_by_its_jwk() {
        let folder = tempfile::tempdir().unwrap();
        let lost = load_or_create(folder.path(), &SystemRandom).unwrap().signer;
        fs::remove_file(folder.path().join(FILE)).unwrap();
        let jwk = lost.jwk();
        let line = format!("\n{}\n", jwk["x"].as_str().unwrap());
        fs::write(folder.path().join(RETIRED), line).unwrap();
        let after = load_or_create(folder.path(), &SystemRandom).unwrap();
        assert_eq!(after.known, [after.signer.verifying_key(), lost.verifying_key()]);
        rotate(folder.path(), &SystemRandom).unwrap();
        assert_eq!(known(folder.path()).unwrap()[1..], after.known);
    }
}
