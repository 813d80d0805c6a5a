//! What an id token says, once it is sure who says it and to whom.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use super::provider::{Provider, ProviderError};

/// Clocks may differ by so much.
const LEEWAY_SECONDS: u64 = 60;
/// Signed by the provider's private key; with a shared secret, whoever checks could have made it.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::RS256, Algorithm::ES256, Algorithm::PS256, Algorithm::RS384];

/// Somebody, as a provider knows them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Identity {
    /// Never another person's, for as long as the provider exists.
    pub sub: String,
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: bool,
    pub name: Option<String>,
    nonce: Option<String>,
    azp: Option<String>,
}

/// Checks signature, issuer, audience, time and nonce.
pub async fn read(provider: &Provider, token: &str, nonce: &str) -> Result<Identity, ProviderError> {
    let header = decode_header(token)?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(ProviderError::OtherSignIn("its algorithm is none of a provider's"));
    }
    let (issuer, keys) = provider.keys(header.kid.clone()).await?;
    let key = match &header.kid {
        Some(kid) => keys.find(kid),
        None => keys.keys.first().filter(|_| keys.keys.len() == 1),
    };
    let key = DecodingKey::from_jwk(key.ok_or(ProviderError::OtherSignIn("its key is none of the provider's"))?)?;
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[&provider.options.client_id]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.leeway = LEEWAY_SECONDS;
    let identity = decode::<Identity>(token, &key, &validation)?.claims;
    if identity.nonce.as_deref() != Some(nonce) {
        return Err(ProviderError::OtherSignIn("its nonce is another's"));
    }
    if identity.azp.as_ref().is_some_and(|azp| *azp != provider.options.client_id) {
        return Err(ProviderError::OtherSignIn("it was made for another client"));
    }
    if identity.sub.is_empty() || identity.sub.len() > SUBJECT_BYTES_MAX {
        return Err(ProviderError::OtherSignIn("its subject is no subject"));
    }
    Ok(identity)
}

/// OpenID Connect's bound.
const SUBJECT_BYTES_MAX: usize = 255;
