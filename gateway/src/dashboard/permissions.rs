//! Who may do what: one table of routes and roles. docs/security.md shows it, and a test keeps the two the same.

use http::Method;

use crate::control::people::Role;
use crate::control::people::Role::{Admin, Finance, Member, Owner};

/// Whom a route is open to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone, with or without a session.
    Anyone,
    /// What all customers used together: everyone, unless the deployment keeps that to whoever is signed in.
    Statistics,
    /// Whoever is signed in; it concerns themselves only.
    SignedIn,
    /// Members of the account in the path, or in the query where the path has none, who have one of these roles. Others are told that there is no such account.
    /// `platform` opens it to administrators of the platform as well.
    Account { roles: &'static [Role], platform: bool },
    /// Administrators of the platform.
    Platform,
}

/// Those who see single requests; analysts see sums.
const REQUESTS: &[Role] = &[Role::Owner, Role::Admin, Role::Member, Role::Finance];
const EVERYBODY: &[Role] = &Role::ALL;
/// Those who run an account.
const ADMINISTRATORS: &[Role] = &[Owner, Admin];
/// Those who make keys and use them.
pub const USERS: &[Role] = &[Owner, Admin, Member];
/// Those who see and move money.
const MONEY: &[Role] = &[Owner, Admin, Finance];

const fn read(roles: &'static [Role]) -> Access {
    Access::Account { roles, platform: true }
}

const fn change(roles: &'static [Role]) -> Access {
    Access::Account { roles, platform: false }
}

/// A change that the platform may make as well.
const fn change_with_platform(roles: &'static [Role]) -> Access {
    Access::Account { roles, platform: true }
}

/// The table. What is not in it is closed.
pub const TABLE: &[(Method, &str, Access)] = &[
    (Method::GET, "/api/app/overview", Access::Statistics),
    (Method::GET, "/api/app/rankings", Access::Statistics),
    (Method::GET, "/api/app/rankings.csv", Access::Statistics),
    (Method::GET, "/api/app/rankings/authors", Access::Statistics),
    (Method::GET, "/api/app/rankings/apps", Access::Statistics),
    (Method::GET, "/api/app/rankings/series", Access::Statistics),
    (Method::GET, "/api/app/models/{author}/{slug}/endpoints", Access::Statistics),
    (Method::GET, "/api/app/models/{author}/{slug}/series", Access::Statistics),
    (Method::GET, "/api/app/models/{author}/{slug}/apps", Access::Statistics),
    (Method::GET, "/api/app/generations/{id}", Access::SignedIn),
    (Method::GET, "/api/app/live", read(EVERYBODY)),
    (Method::GET, "/api/app/accounts/{account}/generations", Access::Account { roles: REQUESTS, platform: true }),
    (Method::GET, "/api/app/accounts/{account}/activity", Access::Account { roles: &Role::ALL, platform: true }),
    (Method::GET, "/auth/providers", Access::Anyone),
    (Method::POST, "/auth/sign-in", Access::Anyone),
    (Method::POST, "/auth/sign-up", Access::Anyone),
    (Method::POST, "/auth/sign-out", Access::SignedIn),
    (Method::GET, "/auth/invitations/{token}", Access::Anyone),
    (Method::POST, "/auth/invitations/{token}/accept", Access::Anyone),
    (Method::GET, "/auth/google", Access::Anyone),
    (Method::GET, "/auth/google/callback", Access::Anyone),
    (Method::GET, "/auth/oidc/{name}", Access::Anyone),
    (Method::GET, "/auth/oidc/{name}/callback", Access::Anyone),
    (Method::GET, "/api/app/session", Access::SignedIn),
    (Method::GET, "/api/app/preferences", Access::SignedIn),
    (Method::PATCH, "/api/app/preferences", Access::SignedIn),
    (Method::PATCH, "/api/app/profile", Access::SignedIn),
    (Method::POST, "/api/app/profile/password", Access::SignedIn),
    (Method::GET, "/api/app/sessions", Access::SignedIn),
    (Method::DELETE, "/api/app/sessions", Access::SignedIn),
    (Method::DELETE, "/api/app/sessions/{session}", Access::SignedIn),
    (Method::GET, "/api/app/accounts/{account}", read(EVERYBODY)),
    (Method::PATCH, "/api/app/accounts/{account}", change(ADMINISTRATORS)),
    (Method::GET, "/api/app/accounts/{account}/preferences", read(EVERYBODY)),
    (Method::PATCH, "/api/app/accounts/{account}/preferences", change(ADMINISTRATORS)),
    (Method::GET, "/api/app/accounts/{account}/members", read(EVERYBODY)),
    (Method::PATCH, "/api/app/accounts/{account}/members/{user}", change(ADMINISTRATORS)),
    (Method::DELETE, "/api/app/accounts/{account}/members/{user}", change(ADMINISTRATORS)),
    (Method::GET, "/api/app/accounts/{account}/invitations", read(ADMINISTRATORS)),
    // An account the platform made has nobody who could invite its first owner.
    (Method::POST, "/api/app/accounts/{account}/invitations", change_with_platform(ADMINISTRATORS)),
    (Method::DELETE, "/api/app/accounts/{account}/invitations/{invitation}", change_with_platform(ADMINISTRATORS)),
    (Method::GET, "/api/app/accounts/{account}/keys", read(USERS)),
    (Method::POST, "/api/app/accounts/{account}/keys", change(USERS)),
    (Method::GET, "/api/app/accounts/{account}/keys/{hash}", read(USERS)),
    (Method::PATCH, "/api/app/accounts/{account}/keys/{hash}", change(USERS)),
    (Method::DELETE, "/api/app/accounts/{account}/keys/{hash}", change(USERS)),
    (Method::GET, "/api/app/accounts/{account}/transactions", read(MONEY)),
    (Method::GET, "/api/app/accounts/{account}/transactions.csv", read(MONEY)),
    (Method::GET, "/api/app/accounts/{account}/ledger", read(MONEY)),
    (Method::GET, "/api/app/accounts/{account}/audit", read(MONEY)),
    (Method::POST, "/api/app/accounts/{account}/redemptions", change(MONEY)),
    (Method::GET, "/api/app/accounts/{account}/balance-alert", read(MONEY)),
    (Method::PATCH, "/api/app/accounts/{account}/balance-alert", change(MONEY)),
    (Method::DELETE, "/api/app/accounts/{account}/balance-alert", change(MONEY)),
    (Method::POST, "/api/app/accounts/{account}/balance-alert/secret", change(MONEY)),
    (Method::GET, "/api/app/accounts/{account}/balance-alert/deliveries", read(MONEY)),
    (Method::POST, "/api/app/accounts/{account}/authorization-codes", change(USERS)),
    (Method::GET, "/api/app/admin/accounts", Access::Platform),
    (Method::POST, "/api/app/admin/accounts", Access::Platform),
    (Method::GET, "/api/app/admin/accounts/{id}", Access::Platform),
    (Method::PATCH, "/api/app/admin/accounts/{id}", Access::Platform),
    (Method::POST, "/api/app/admin/accounts/{id}/credits", Access::Platform),
    (Method::GET, "/api/app/admin/users", Access::Platform),
    (Method::PATCH, "/api/app/admin/users/{id}", Access::Platform),
    (Method::GET, "/api/app/admin/channels", Access::Platform),
    (Method::POST, "/api/app/admin/channels", Access::Platform),
    (Method::GET, "/api/app/admin/channels/{id}", Access::Platform),
    (Method::PATCH, "/api/app/admin/channels/{id}", Access::Platform),
    (Method::DELETE, "/api/app/admin/channels/{id}", Access::Platform),
    (Method::POST, "/api/app/admin/channels/{id}/test", Access::Platform),
    (Method::GET, "/api/app/admin/channels/{id}/health", Access::Platform),
    (Method::GET, "/api/app/admin/providers", Access::Platform),
    (Method::GET, "/api/app/admin/models", Access::Platform),
    (Method::GET, "/api/app/admin/price-versions", Access::Platform),
    (Method::POST, "/api/app/admin/price-versions", Access::Platform),
    (Method::DELETE, "/api/app/admin/price-versions/{version}", Access::Platform),
    (Method::GET, "/api/app/admin/provider-costs", Access::Platform),
    (Method::GET, "/api/app/admin/codes", Access::Platform),
    (Method::POST, "/api/app/admin/codes", Access::Platform),
    (Method::GET, "/api/app/admin/codes/{batch}", Access::Platform),
    (Method::DELETE, "/api/app/admin/codes/{batch}", Access::Platform),
    (Method::GET, "/api/app/admin/audit-records", Access::Platform),
    (Method::GET, "/api/app/admin/audit", Access::Platform),
    (Method::POST, "/api/app/admin/audit", Access::Platform),
    (Method::GET, "/api/app/admin/system", Access::Platform),
];

/// Whom a route is open to; `None` is nobody.
pub fn access(method: &Method, path: &str) -> Option<Access> {
    // A HEAD is a GET whose body is thrown away.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(known, route, _)| known == method && *route == path).map(|(.., access)| *access)
}
