//! One identity provider: what the configuration says of it, and what it says of itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use oauth2::basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType};
use oauth2::{
    AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken, StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::calls::{CallError, Calls};
use crate::control::secrets::Secret;

pub const GOOGLE_ISSUER: &str = "https://accounts.google.com";
/// Metadata and keys are asked for again after so long, and keys at once when one is not known.
const FRESH_FOR: Duration = Duration::from_secs(3600);
/// But no oftener: whoever makes up key names does not make us ask.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// What the configuration says of a provider.
#[derive(Debug, Clone)]
pub struct ProviderOptions {
    /// `google`, or `oidc:NAME`.
    pub id: String,
    /// As a sign-in page shows it.
    pub name: String,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
}

/// Why a sign-in at a provider came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("provider says it is `{0}`, not who it was configured as")]
    Issuer(String),
    #[error("provider's address cannot be used")]
    Address(#[from] oauth2::url::ParseError),
    #[error("provider did not trade the code in: {0}")]
    Exchange(String),
    #[error("provider's answer holds no id token")]
    NoIdToken,
    #[error("id token cannot be trusted")]
    IdToken(#[from] jsonwebtoken::errors::Error),
    #[error("id token is not for this sign-in: {0}")]
    OtherSignIn(&'static str),
}

/// The document at `/.well-known/openid-configuration`.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    pub issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Debug, Clone)]
struct Known {
    metadata: Metadata,
    keys: Arc<JwkSet>,
    at: Instant,
}

/// The id token beside the tokens of plain OAuth.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdTokenField {
    pub id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type TokenResponse = StandardTokenResponse<IdTokenField, BasicTokenType>;
type OauthClient = Client<
    BasicErrorResponse,
    TokenResponse,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A provider that can be signed in at. What it says of itself is kept for a while.
pub struct Provider {
    pub options: ProviderOptions,
    redirect_url: String,
    calls: Calls,
    known: Mutex<Option<Known>>,
}

impl<'c> oauth2::AsyncHttpClient<'c> for Calls {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// Tokens, or why there are none.
type Exchanging = Pin<Box<dyn Future<Output = Result<TokenResponse, String>> + Send>>;

/// A sign-in that begins.
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    pub state: String,
    pub verifier: String,
}

impl Provider {
    pub fn new(options: ProviderOptions, public_url: &str) -> Result<Self, CallError> {
        let redirect_url = format!("{public_url}{}/callback", path_of(&options.id));
        Ok(Self { options, redirect_url, calls: Calls::new()?, known: Mutex::default() })
    }

    /// Where a browser begins here.
    pub fn path(&self) -> String {
        path_of(&self.options.id)
    }

    /// Makes what a browser is sent to the provider with.
    pub async fn begin(&self, nonce: &str) -> Result<Begun, ProviderError> {
        let known = self.known(None).await?;
        let client = self.client(&known.metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = client.authorize_url(CsrfToken::new_random).set_pkce_challenge(challenge).add_extra_param("nonce", nonce.to_owned());
        let scopes = ["openid", "email", "profile"].map(|scope| Scope::new(scope.to_owned()));
        let (url, state) = request.add_scopes(scopes).url();
        Ok(Begun { url: url.to_string(), state: state.into_secret(), verifier: verifier.into_secret() })
    }

    /// Trades a code in for the id token, unread.
    pub async fn trade_in(&self, code: String, verifier: String) -> Result<String, ProviderError> {
        let known = self.known(None).await?;
        let client = self.client(&known.metadata)?;
        let answer = exchange(client, self.calls.clone(), code, verifier).await.map_err(ProviderError::Exchange)?;
        answer.extra_fields().id_token.clone().ok_or(ProviderError::NoIdToken)
    }

    /// The provider's issuer and keys; asked for again where a key is not among them.
    pub async fn keys(&self, wanted: Option<String>) -> Result<(String, Arc<JwkSet>), ProviderError> {
        let known = self.known(wanted).await?;
        Ok((known.metadata.issuer, known.keys))
    }

    async fn known(&self, wanted_key: Option<String>) -> Result<Known, ProviderError> {
        // One at a time asks; the others wait for its answer.
        let mut known = self.known.lock().await;
        if let Some(known) = &*known {
            let age = known.at.elapsed();
            let has_key = wanted_key.as_ref().is_none_or(|wanted| known.keys.find(wanted).is_some());
            if age < ASK_AGAIN_AFTER || (age < FRESH_FOR && has_key) {
                return Ok(known.clone());
            }
        }
        let issuer = self.options.issuer.trim_end_matches('/');
        let metadata: Metadata = self.calls.get(&format!("{issuer}/.well-known/openid-configuration")).await?;
        if metadata.issuer.trim_end_matches('/') != issuer {
            return Err(ProviderError::Issuer(metadata.issuer));
        }
        let keys: JwkSet = self.calls.get(&metadata.jwks_uri).await?;
        let fresh = Known { metadata, keys: Arc::new(keys), at: Instant::now() };
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    fn client(&self, metadata: &Metadata) -> Result<OauthClient, ProviderError> {
        Ok(Client::new(ClientId::new(self.options.client_id.clone()))
            .set_client_secret(ClientSecret::new(self.options.client_secret.expose().to_owned()))
            .set_auth_uri(AuthUrl::new(metadata.authorization_endpoint.clone())?)
            .set_token_uri(TokenUrl::new(metadata.token_endpoint.clone())?)
            .set_redirect_uri(RedirectUrl::new(self.redirect_url.clone())?))
    }
}

/// Asks for tokens. Boxed with what it needs: the crate's future borrows from itself in ways that cannot be named.
fn exchange(client: OauthClient, calls: Calls, code: String, verifier: String) -> Exchanging {
    Box::pin(async move {
        let request = client.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(PkceCodeVerifier::new(verifier));
        request.request_async(&calls).await.map_err(|error| error.to_string())
    })
}

fn path_of(id: &str) -> String {
    match id.strip_prefix("oidc:") {
        Some(name) => format!("/auth/oidc/{name}"),
        None => format!("/auth/{id}"),
    }
}
