//! Signing in: from a password or an identity provider to a session in a browser, and back to who it is.
//!
//! Owns the routes below `/auth`, the cookies, the tokens in them and the bounds on guessing. **Whether somebody
//! exists is told to nobody**: refusals are alike in words and in time. A session is a row that can be revoked; the
//! cookie that is shown with each request only says which, for a quarter of an hour. Start at [`SignIn`] and
//! [`routes`]; who a request is from is found in [`identify`].

mod cookies;
mod desk;
mod guesses;
mod identify;
mod invitations;
pub mod oidc;
mod options;
mod password;
mod providers;
mod tokens;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::dashboard::Dashboard;

pub use desk::{SignIn, SignInError};
pub use identify::{Identified, SignedIn, identify, still_signed_in, unauthenticated};
pub use oidc::{GOOGLE_ISSUER, ProviderOptions};
pub use options::SignInOptions;
pub use password::{valid_name, with_cookies};

/// Everything below `/auth`.
pub fn routes() -> OpenApiRouter<Arc<Dashboard>> {
    OpenApiRouter::default()
        .routes(routes!(providers::list_sign_in_providers))
        .routes(routes!(password::sign_in))
        .routes(routes!(password::sign_up))
        .routes(routes!(password::sign_out))
        .routes(routes!(invitations::get_invitation))
        .routes(routes!(invitations::accept_invitation))
}
