//! Secrets: a type that never prints, the key that encrypts them at rest, references to them.
//!
//! Owns how a channel's key is sealed (AES-256-GCM; the key's id and the row's id are authenticated with
//! it, so a sealed key moved to another row does not open) and where the sealing key comes from. It must
//! never put a secret into a log, an error or an answer. Start at [`Secret`] and [`SecretKey`].

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf;
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// Bytes of the id of a sealing key, in front of everything it sealed.
const KEY_ID_BYTES: usize = 8;
/// A configured secret key shorter than this could be guessed.
const SECRET_KEY_CHARS_MIN: usize = 16;
/// A secret read from a file is at most this long.
const SECRET_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable `{0}` is not set")]
    NoVariable(String),
    #[error("the environment variable `{0}` is empty")]
    EmptyVariable(String),
    #[error("the file `{path}` could not be read")]
    File { path: PathBuf, source: io::Error },
    #[error("the file `{path}` is not a secret: it is empty, not text or longer than {SECRET_FILE_BYTES_MAX} bytes")]
    FileContent { path: PathBuf },
    #[error("secret_key must have at least {SECRET_KEY_CHARS_MIN} characters")]
    KeyTooShort,
    #[error("sealed with secret key {sealed_with}, but this one is {ours}")]
    OtherKey { sealed_with: String, ours: String },
    #[error("sealed value is damaged or belongs to another row")]
    Damaged,
    /// No random bytes, or a message longer than the cipher takes.
    #[error("a cryptographic operation failed")]
    Cryptography,
}

/// Text that must never be seen: `Debug` is redacted, there is no `Display` and no `Serialize`, and the
/// memory is cleared when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Resolves a reference as configuration files write it: `env:NAME`, `file:PATH`, or the text itself.
    pub fn resolve(reference: &Self) -> Result<Self, SecretError> {
        let text = reference.expose();
        if let Some(name) = text.strip_prefix("env:") {
            let value = std::env::var(name).map_err(|_| SecretError::NoVariable(name.to_owned()))?;
            return if value.is_empty() { Err(SecretError::EmptyVariable(name.to_owned())) } else { Ok(Self::new(value)) };
        }
        match text.strip_prefix("file:") {
            Some(path) => read_secret_file(Path::new(path)),
            None => Ok(reference.clone()),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

fn read_secret_file(path: &Path) -> Result<Secret, SecretError> {
    let not_a_secret = || SecretError::FileContent { path: path.to_owned() };
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > SECRET_FILE_BYTES_MAX {
        return Err(not_a_secret());
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(failed)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| not_a_secret())?.trim();
    if text.is_empty() { Err(not_a_secret()) } else { Ok(Secret::new(text)) }
}

/// The deployment's secret key. Every gateway of a deployment has the same one.
#[derive(Clone)]
pub struct SecretKey {
    master: std::sync::Arc<hkdf::Prk>,
    sealing: std::sync::Arc<LessSafeKey>,
    id: [u8; KEY_ID_BYTES],
    /// Keys from before: they open, and never seal.
    previous: std::sync::Arc<[SecretKey]>,
}

impl SecretKey {
    /// Derives the keys from configured text, which may be any long random string.
    pub fn from_secret(text: &Secret) -> Result<Self, SecretError> {
        if text.expose().chars().count() < SECRET_KEY_CHARS_MIN {
            return Err(SecretError::KeyTooShort);
        }
        let master = hkdf::Salt::new(hkdf::HKDF_SHA256, b"tollgate secret key v1").extract(text.expose().as_bytes());
        let derive = |purpose| derive(&master, purpose);
        let sealing = UnboundKey::new(&AES_256_GCM, &*derive(b"seal channel keys")?).map_err(|_| SecretError::Cryptography)?;
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&derive(b"key id")?[..KEY_ID_BYTES]);
        Ok(Self {
            sealing: std::sync::Arc::new(LessSafeKey::new(sealing)),
            id,
            master: std::sync::Arc::new(master),
            previous: std::sync::Arc::default(),
        })
    }

    /// A key for one purpose; whoever has it learns nothing of the secret key or of other purposes' keys.
    pub fn derive(&self, purpose: &'static [u8]) -> Result<Zeroizing<[u8; 32]>, SecretError> {
        derive(&self.master, purpose)
    }

    /// Reads `secret.key` from the data folder; on the first start it is made, readable by its owner only.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretError> {
        let path = data_dir.join("secret.key");
        match create_secret_file(&path) {
            Ok(()) => {}
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Self::from_secret(&read_secret_file(&path)?)
    }

    /// The same key, which also opens what these sealed: what a rotation takes until everything is sealed anew.
    #[must_use]
    pub fn with_previous(self, previous: Vec<Self>) -> Self {
        Self { previous: previous.into(), ..self }
    }

    /// Whether it opens what the key with this id sealed.
    pub fn opens(&self, id: &str) -> bool {
        self.id() == id || self.previous.iter().any(|previous| previous.id() == id)
    }

    /// Names the key without telling anything about it.
    pub fn id(&self) -> String {
        hex::encode(self.id)
    }

    /// Encrypts a secret for one row: key id, nonce, ciphertext and tag, one after the other.
    pub fn seal(&self, row_id: &str, secret: &Secret) -> Result<Vec<u8>, SecretError> {
        let mut nonce = [0_u8; NONCE_LEN];
        OsRng.try_fill_bytes(&mut nonce).map_err(|_| SecretError::Cryptography)?;
        let mut sealed = secret.expose().as_bytes().to_vec();
        let aad = Aad::from(self.authenticated(row_id));
        let sealing = self.sealing.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
        sealing.map_err(|_| SecretError::Cryptography)?;
        Ok([self.id.as_slice(), &nonce, &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made for the same row.
    pub fn open(&self, row_id: &str, sealed: &[u8]) -> Result<Secret, SecretError> {
        let (key_id, rest) = sealed.split_at_checked(KEY_ID_BYTES).ok_or(SecretError::Damaged)?;
        if key_id != self.id {
            if let Some(previous) = self.previous.iter().find(|previous| previous.id == key_id) {
                return previous.open(row_id, sealed);
            }
            return Err(SecretError::OtherKey { sealed_with: hex::encode(key_id), ours: self.id() });
        }
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_LEN).ok_or(SecretError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SecretError::Damaged)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let aad = Aad::from(self.authenticated(row_id));
        let text = self.sealing.open_in_place(nonce, aad, &mut buffer).map_err(|_| SecretError::Damaged)?;
        std::str::from_utf8(text).map(Secret::new).map_err(|_| SecretError::Damaged)
    }

    /// Encrypts several secrets for one row, as one.
    pub fn seal_several(&self, row_id: &str, secrets: &[Secret]) -> Result<Vec<u8>, SecretError> {
        let texts: Vec<&str> = secrets.iter().map(Secret::expose).collect();
        let text = serde_json::to_string(&texts).map_err(|_| SecretError::Cryptography)?;
        self.seal(row_id, &Secret::new(text))
    }

    /// Decrypts what [`Self::seal_several`] made for the same row.
    pub fn open_several(&self, row_id: &str, sealed: &[u8]) -> Result<Vec<Secret>, SecretError> {
        let text = self.open(row_id, sealed)?;
        serde_json::from_str(text.expose()).map_err(|_| SecretError::Damaged)
    }

    fn authenticated(&self, row_id: &str) -> Vec<u8> {
        [b"tollgate channel key v1".as_slice(), &self.id, row_id.as_bytes()].concat()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.id())
    }
}

fn derive(master: &hkdf::Prk, purpose: &'static [u8]) -> Result<Zeroizing<[u8; 32]>, SecretError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    let filled = master.expand(&[purpose], hkdf::HKDF_SHA256).and_then(|key| key.fill(&mut *bytes));
    filled.map(|()| bytes).map_err(|_| SecretError::Cryptography)
}

fn create_secret_file(path: &Path) -> Result<(), SecretError> {
    let failed = |source| SecretError::File { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    let text = Zeroizing::new(format!("{}\n", random_hex_32()?.as_str()));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// 256 random bits from the operating system, as 64 hex digits.
pub(crate) fn random_hex_32() -> Result<Zeroizing<String>, SecretError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    OsRng.try_fill_bytes(&mut *bytes).map_err(|_| SecretError::Cryptography)?;
    Ok(Zeroizing::new(hex::encode(bytes.as_slice())))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn key(text: &str) -> SecretKey {
        SecretKey::from_secret(&Secret::new(text)).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_only_for_its_row_and_with_its_key() {
        let ours = key("a long enough secret key");
        let sealed = ours.seal("row-1", &Secret::new("sk-upstream")).unwrap();
        assert_eq!(ours.open("row-1", &sealed).unwrap().expose(), "sk-upstream");
        assert!(matches!(ours.open("row-2", &sealed), Err(SecretError::Damaged)));
        assert!(matches!(key("another long secret key").open("row-1", &sealed), Err(SecretError::OtherKey { .. })));
        let mut flipped = sealed.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(ours.open("row-1", &flipped), Err(SecretError::Damaged)));
        assert!(matches!(ours.open("row-1", &sealed[..12]), Err(SecretError::Damaged)));
    }

    #[test]
    fn a_new_key_opens_what_the_one_before_sealed_and_seals_with_itself() {
        let (old, new) = (key("the key of last year"), key("the key of this year"));
        let sealed = old.seal("row", &Secret::new("sk-upstream")).unwrap();
        let both = new.clone().with_previous(vec![old.clone()]);
        assert_eq!(both.open("row", &sealed).unwrap().expose(), "sk-upstream");
        let again = both.seal("row", &both.open("row", &sealed).unwrap()).unwrap();
        assert_eq!(new.open("row", &again).unwrap().expose(), "sk-upstream");
        assert!(old.open("row", &again).is_err() && both.opens(&old.id()) && !new.opens(&old.id()));
    }

    #[test]
    fn sealing_twice_gives_different_bytes_without_the_secret_in_them() {
        let ours = key("a long enough secret key");
        let (one, two) = (ours.seal("r", &Secret::new("sk-upstream")).unwrap(), ours.seal("r", &Secret::new("sk-upstream")).unwrap());
        assert_ne!(one, two);
        assert!(!one.windows(11).any(|window| window == b"sk-upstream"));
    }

    #[test]
    fn debug_of_a_secret_and_of_the_key_shows_nothing() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), key("hunter2 hunter2 hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_generated_key_is_private_and_the_same_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = SecretKey::load_or_create(folder.path()).unwrap();
        assert_eq!(SecretKey::load_or_create(folder.path()).unwrap().id(), first.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("secret.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn references_read_the_environment_and_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "sk-from-file\n").unwrap();
        let from_file = Secret::resolve(&Secret::new(format!("file:{}", path.display()))).unwrap();
        assert_eq!(from_file.expose(), "sk-from-file");
        assert_eq!(Secret::resolve(&Secret::new("sk-literal")).unwrap().expose(), "sk-literal");
        let missing = Secret::resolve(&Secret::new("env:TOLLGATE_NO_SUCH_VARIABLE")).unwrap_err();
        assert_eq!(missing.to_string(), "the environment variable `TOLLGATE_NO_SUCH_VARIABLE` is not set");
        assert!(Secret::resolve(&Secret::new("env:PATH")).is_ok());
    }

    #[test]
    fn a_short_secret_key_is_refused() {
        assert!(matches!(SecretKey::from_secret(&Secret::new("short")), Err(SecretError::KeyTooShort)));
    }
}
