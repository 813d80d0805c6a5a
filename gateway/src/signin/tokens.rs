//! The tokens of a session, made and checked: a short JWT, an opaque refresh token, the CSRF token of the session.
//!
//! All keys are derived from the deployment's secret key, so that every gateway checks what any of them made. The
//! algorithm is fixed, and so are issuer and audience: nothing in a token says how it is to be checked.

use aws_lc_rs::hmac;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use schemas::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::control::secrets::{SecretError, SecretKey};

/// How long a session token is shown before it has to be renewed.
pub const SESSION_TOKEN_SECONDS: i64 = 15 * 60;
/// With less than this left it is renewed along the way.
const RENEWED_BELOW_SECONDS: i64 = 5 * 60;
/// Clocks of gateways may differ by so much.
const LEEWAY_SECONDS: u64 = 30;
const ISSUER: &str = "tollgate";
const AUDIENCE: &str = "tollgate-web";

/// What a session token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The person.
    pub sub: UserId,
    /// The session's row.
    pub sid: Uuid,
    iat: i64,
    exp: i64,
}

impl Claims {
    /// Whether it should be replaced while it still works.
    pub const fn is_due(&self, now: Timestamp) -> bool {
        self.exp - now.unix_seconds() < RENEWED_BELOW_SECONDS
    }
}

/// Makes and checks tokens.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    header: Header,
    csrf: hmac::Key,
}

impl Tokens {
    pub fn new(secret_key: &SecretKey) -> Result<Self, SecretError> {
        let secret = secret_key.derive(b"sign sessions")?;
        let csrf = secret_key.derive(b"csrf tokens")?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.leeway = LEEWAY_SECONDS;
        let header = Header { kid: Some(secret_key.id()), ..Header::new(Algorithm::HS256) };
        Ok(Self {
            signing: EncodingKey::from_secret(secret.as_slice()),
            checking: DecodingKey::from_secret(secret.as_slice()),
            validation,
            header,
            csrf: hmac::Key::new(hmac::HMAC_SHA256, csrf.as_slice()),
        })
    }

    /// The token a browser shows with each request.
    pub fn session(&self, user: UserId, session: Uuid, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.unix_seconds();
        let claims =
            Claims { iss: ISSUER.to_owned(), aud: AUDIENCE.to_owned(), sub: user, sid: session, iat, exp: iat + SESSION_TOKEN_SECONDS };
        encode(&self.header, &claims, &self.signing)
    }

    /// What a token says, if it is one of ours and not too old.
    pub fn read_session(&self, token: &str) -> Option<Claims> {
        decode::<Claims>(token, &self.checking, &self.validation).ok().map(|token| token.claims)
    }

    /// The token that unsafe requests of a session carry in a header: other sites can neither read nor guess it.
    pub fn csrf(&self, session: Uuid) -> String {
        hex::encode(hmac::sign(&self.csrf, session.as_bytes()))
    }

    /// Compared in constant time.
    pub fn is_csrf(&self, session: Uuid, token: &str) -> bool {
        hex::decode(token).is_ok_and(|tag| hmac::verify(&self.csrf, session.as_bytes(), &tag).is_ok())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;
    use crate::control::secrets::Secret;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&SecretKey::from_secret(&Secret::new(secret)).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_read_by_whoever_has_the_same_secret_key_until_it_is_old() {
        let (ours, user, session, now) = (tokens("the secret key of the tests"), UserId::mint(), Uuid::now_v7(), Timestamp::now());
        let token = ours.session(user, session, now).unwrap();
        let claims = tokens("the secret key of the tests").read_session(&token).unwrap();
        assert_eq!((claims.sub, claims.sid), (user, session));
        assert!(!claims.is_due(now) && claims.is_due(now.plus_micros(11 * 60 * 1_000_000)));
        assert!(tokens("another secret key of tests").read_session(&token).is_none());
        let old = ours.session(user, session, now.plus_micros(-20 * 60 * 1_000_000)).unwrap();
        assert!(ours.read_session(&old).is_none());
    }

    #[test]
    fn a_token_that_names_another_algorithm_or_audience_is_refused() {
        let ours = tokens("the secret key of the tests");
        let token = ours.session(UserId::mint(), Uuid::now_v7(), Timestamp::now()).unwrap();
        let rest = token.split_once('.').unwrap().1;
        // {"alg":"none","typ":"JWT"}
        assert!(ours.read_session(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{rest}")).is_none());
        let iat = Timestamp::now().unix_seconds();
        let claims =
            serde_json::json!({ "iss": ISSUER, "aud": "other", "sub": UserId::mint(), "sid": Uuid::now_v7(), "iat": iat, "exp": iat + 60 });
        let foreign = encode(&Header::new(Algorithm::HS256), &claims, &ours.signing).unwrap();
        assert!(ours.read_session(&foreign).is_none());
    }

    #[test]
    fn a_csrf_token_belongs_to_one_session() {
        let (ours, one, two) = (tokens("the secret key of the tests"), Uuid::now_v7(), Uuid::now_v7());
        assert!(ours.is_csrf(one, &ours.csrf(one)));
        assert!(!ours.is_csrf(two, &ours.csrf(one)) && !ours.is_csrf(one, "") && !ours.is_csrf(one, "zz"));
    }
}
