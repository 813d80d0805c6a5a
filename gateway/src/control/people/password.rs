//! Passwords: hashed with Argon2id, off the serving threads, a bounded number at a time.
//!
//! **Checking a password takes the same work whether there is one or not**: where nobody is found, a hash made at
//! start is checked instead, so that time tells nothing about who exists.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::sync::Semaphore;

use crate::control::secrets::Secret;

/// Shorter ones are guessed.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Nobody types more; hashing takes time by length.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Hashes computed at once: each takes 19 MiB and most of a core.
const AT_ONCE: usize = 2;
/// Callers that wait for their turn; more are told to come back.
const WAITING_MAX: usize = 64;
/// How long a caller waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(10);
/// Of a password that is made up: 96 random bits.
const MINTED_BYTES: usize = 12;

/// Why a password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("must have at least {PASSWORD_CHARS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes")]
    Length,
    #[error("too many passwords are being checked right now")]
    Busy,
    #[error("password could not be hashed")]
    Hash(#[from] argon2::password_hash::Error),
    #[error("stored password hash cannot be read")]
    Unreadable,
    #[error("random bytes could not be had")]
    Random,
    #[error("hashing was interrupted")]
    Interrupted,
}

/// Hashes and checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Of nobody: checked where there is none, for the time it takes.
    nobody: Arc<str>,
}

impl Passwords {
    pub fn new() -> Result<Self, PasswordError> {
        let nobody = hash_now(&mint_password()?)?;
        Ok(Self { turns: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::default(), nobody: nobody.into() })
    }

    /// Hashes a new password, in PHC form.
    pub async fn hash(&self, password: &Secret) -> Result<String, PasswordError> {
        if password.expose().chars().count() < PASSWORD_CHARS_MIN || password.expose().len() > PASSWORD_BYTES_MAX {
            return Err(PasswordError::Length);
        }
        let password = password.clone();
        self.in_turn(move || hash_now(&password)).await?
    }

    /// Whether a password is the one of a hash; without a hash it is not, after the same work.
    pub async fn verify(&self, password: &Secret, hash: Option<&str>) -> Result<bool, PasswordError> {
        if password.expose().len() > PASSWORD_BYTES_MAX {
            return Ok(false);
        }
        let exists = hash.is_some();
        let (password, hash) = (password.clone(), hash.unwrap_or(&self.nobody).to_owned());
        let matches = self.in_turn(move || {
            let hash = PasswordHash::new(&hash).map_err(|_| PasswordError::Unreadable)?;
            Ok::<_, PasswordError>(Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
        });
        Ok(matches.await?? && exists)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let _waiting = Waiting::one(&self.waiting).ok_or(PasswordError::Busy)?;
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| PasswordError::Busy)?.map_err(|_| PasswordError::Interrupted)?;
        let worked = tokio::task::spawn_blocking(move || {
            let value = work();
            drop(turn);
            value
        });
        worked.await.map_err(|_| PasswordError::Interrupted)
    }
}

/// A password for somebody who will be told it once.
pub fn mint_password() -> Result<Secret, PasswordError> {
    let mut bytes = zeroize::Zeroizing::new([0_u8; MINTED_BYTES]);
    OsRng.try_fill_bytes(&mut *bytes).map_err(|_| PasswordError::Random)?;
    Ok(Secret::new(hex::encode(bytes.as_slice())))
}

/// With the crate's own parameters: 19 MiB, two passes, one lane, a salt of 16 random bytes.
fn hash_now(password: &Secret) -> Result<String, PasswordError> {
    let hash: PasswordHash = Argon2::default().hash_password(password.expose().as_bytes())?;
    Ok(hash.to_string())
}

/// One among those that wait or are served.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn one(count: &Arc<AtomicUsize>) -> Option<Self> {
        let one = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(one)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only_and_nobodys_never() {
        let passwords = Passwords::new().unwrap();
        let (right, wrong) = (Secret::new("correct horse"), Secret::new("correct house"));
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(&right).await.unwrap(), "every hash has its own salt");
        assert!(passwords.verify(&right, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&wrong, Some(&hash)).await.unwrap());
        assert!(!passwords.verify(&right, None).await.unwrap());
    }

    #[tokio::test]
    async fn too_short_and_too_long_passwords_are_refused() {
        let passwords = Passwords::new().unwrap();
        for text in ["short77".to_owned(), "x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(passwords.hash(&Secret::new(text)).await, Err(PasswordError::Length)));
        }
    }
}
