//! A signing key, and its public half as a key set shows it.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::Serialize;

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key could not be generated")]
    Generate(#[from] aws_lc_rs::error::Unspecified),
    #[error("key cannot be used")]
    Use(#[from] jsonwebtoken::errors::Error),
}

pub struct SigningKey {
    key: EncodingKey,
    name: &'static str,
}

impl SigningKey {
    pub fn generate(name: &'static str) -> Result<Self, KeyError> {
        let pair = KeyPair::generate(KeySize::Rsa2048)?;
        let der: Pkcs8V1Der<'static> = pair.as_der()?;
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines(&STANDARD.encode(der.as_ref())));
        Ok(Self { key: EncodingKey::from_rsa_pem(pem.as_bytes())?, name })
    }

    pub fn public(&self) -> Result<Jwk, KeyError> {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::RS256)?;
        jwk.common.key_id = Some(self.name.to_owned());
        Ok(jwk)
    }

    pub fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.name.to_owned()), ..Header::new(Algorithm::RS256) };
        Ok(encode(&header, claims, &self.key)?)
    }
}

/// PEM has lines of 64 characters.
fn lines(text: &str) -> String {
    text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>().join("\n")
}
