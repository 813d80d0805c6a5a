//! The first start: an account, an administrator, a management key and an inference key, so that there is something to use.
//!
//! Done until it was once finished; what exists is never changed. Keys that are made here are
//! returned once, to be printed, and are nowhere else.

use schemas::{AccountId, NanoUsd, Timestamp};

use super::administration::{Control, ControlError};
use super::credits::{CreditDesk, CreditError, CreditKind, CreditOrder};
use super::key::{ApiKey, FIXED_KEY_CHARS_MIN, KEY_BYTES_MAX, KeyHash, KeyKind, KeyScope, mint_key};
use super::people::{Passwords, Role, User, mint_password, normal_email};
use super::secrets::Secret;
use super::store::Act;

/// The key that `serve --new-key` prints: there is one at a time.
const PRINTED_KEY_NAME: &str = "printed at start";
/// The setting that says the first start was finished: one that was cut short is done again.
const DONE: &str = "bootstrapped_at";
/// The setting that says that the first administrator was made: one who was taken away later stays away.
const ADMINISTRATOR: &str = "administrator_made_at";
/// One initial credit for ever, however often the first start is repeated.
const CREDIT_KEY: &str = "bootstrap";

/// What the first start is told.
#[derive(Debug, Clone)]
pub struct BootstrapOptions {
    /// Name of the first account.
    pub account_name: String,
    /// A fixed key, or a reference to one, instead of a generated one.
    pub management_key: Option<Secret>,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self { account_name: "default".to_owned(), management_key: None }
    }
}

/// What the first start made.
#[derive(Debug, Clone)]
pub struct Bootstrapped {
    pub account_id: AccountId,
    /// To be printed once; `None` where a fixed key was configured.
    pub management_key: Option<Secret>,
    /// To be printed once.
    pub inference_key: Secret,
}

/// Makes what is missing for a first use; `None` when that was done before.
///
/// A fixed management key is added on every start where it is not known yet, so that it can be configured
/// later, too. A key that was deleted stays deleted.
pub async fn bootstrap(control: &Control, options: &BootstrapOptions, now: Timestamp) -> Result<Option<Bootstrapped>, ControlError> {
    let act = Act::new("bootstrap", now);
    let is_first_start = control.store().setting(DONE).await?.is_none();
    let account_id = match oldest_account(control) {
        Some(account_id) => account_id,
        None => control.create_account(&act, &options.account_name).await?.id,
    };
    if let Some(fixed) = &options.management_key {
        add_fixed_key(control, &act, account_id, &Secret::resolve(fixed)?).await?;
    }
    if !is_first_start {
        return Ok(None);
    }
    let management_key = match options.management_key {
        Some(_) => None,
        None => Some(add_key(control, &act, account_id, "bootstrap management key", KeyKind::Management, KeyScope::Platform).await?),
    };
    let inference_key = add_key(control, &act, account_id, "first key", KeyKind::Inference, KeyScope::Account).await?;
    control.store().setting_or_insert(&act, DONE, &now.to_string()).await?;
    Ok(Some(Bootstrapped { account_id, management_key, inference_key }))
}

/// The first administrator, to be told to whoever started the deployment.
#[derive(Debug, Clone)]
pub struct FirstAdministrator {
    pub email: String,
    /// To be printed once; `None` where one was configured.
    pub password: Option<Secret>,
}

/// Makes the first administrator, once; `None` when that was done before. Somebody with the address who cannot sign in
/// yet becomes the administrator.
pub async fn first_administrator(
    control: &Control,
    passwords: &Passwords,
    email: &str,
    password: Option<&Secret>,
    now: Timestamp,
) -> Result<Option<FirstAdministrator>, ControlError> {
    let invalid = |field: &str, message: String| ControlError::Invalid { field: format!("bootstrap.{field}"), message };
    let act = Act::new("bootstrap", now);
    if control.store().setting(ADMINISTRATOR).await?.is_some() {
        return Ok(None);
    }
    let email = normal_email(email).ok_or_else(|| invalid("admin_email", "must be an e-mail address".to_owned()))?;
    let configured = password.map(Secret::resolve).transpose()?;
    let minted =
        if configured.is_none() { Some(mint_password().map_err(|error| invalid("admin_password", error.to_string()))?) } else { None };
    let hashed = match configured.as_ref().or(minted.as_ref()) {
        Some(password) => passwords.hash(password).await.map_err(|error| invalid("admin_password", error.to_string()))?,
        None => return Ok(None),
    };
    match control.store().user_by_email(&email).await? {
        Some(known) => {
            let change = |user: &mut User| (user.is_platform_admin, user.password_hash) = (true, Some(hashed));
            control.store().change_user(&act, "user.changed", known.id, change).await?;
        }
        None => {
            let account = oldest_account(control).ok_or_else(|| invalid("account_name", "has no account".to_owned()))?;
            let name = email.split('@').next().unwrap_or_default().to_owned();
            let user = User { is_platform_admin: true, password_hash: Some(hashed), ..User::new(account, email.clone(), name, now) };
            control.store().insert_user(&act, &user, Role::Owner).await?;
        }
    }
    control.store().setting_or_insert(&act, ADMINISTRATOR, &now.to_string()).await?;
    Ok(Some(FirstAdministrator { email, password: minted }))
}

/// Makes a new inference key for the first account, in place of the one made here before.
pub async fn new_printed_key(control: &Control, now: Timestamp) -> Result<Option<Secret>, ControlError> {
    let act = Act::new("local", now);
    let Some(account_id) = oldest_account(control) else { return Ok(None) };
    let catalog = control.catalog_full();
    let is_printed = |key: &ApiKey| key.account_id == account_id && key.name == PRINTED_KEY_NAME && key.kind == KeyKind::Inference;
    for key in catalog.keys().filter(|key| is_printed(&key.record)) {
        control.delete_key(&act, &key.record.hash).await?;
    }
    add_key(control, &act, account_id, PRINTED_KEY_NAME, KeyKind::Inference, KeyScope::Account).await.map(Some)
}

/// Gives the first account something to spend, once.
pub async fn initial_credit(desk: &CreditDesk, account_id: AccountId, amount: NanoUsd, now: Timestamp) -> Result<(), CreditError> {
    let order = CreditOrder {
        account_id,
        kind: CreditKind::Grant,
        amount,
        idempotency_key: CREDIT_KEY.to_owned(),
        reason: Some("initial credit".to_owned()),
        reference: None,
        expires_at: None,
        request_id: None,
        actor: "bootstrap".to_owned(),
    };
    desk.order(&order, now).await.map(|_| ())
}

fn oldest_account(control: &Control) -> Option<AccountId> {
    control.catalog().accounts().map(|account| account.id).min()
}

async fn add_key(
    control: &Control,
    act: &Act,
    account_id: AccountId,
    name: &str,
    kind: KeyKind,
    scope: KeyScope,
) -> Result<Secret, ControlError> {
    let secret = mint_key()?;
    control.create_key(act, ApiKey::new(&secret, account_id, name, kind, scope, act.at)).await?;
    Ok(secret)
}

async fn add_fixed_key(control: &Control, act: &Act, account_id: AccountId, secret: &Secret) -> Result<(), ControlError> {
    let text = secret.expose();
    if text.len() < FIXED_KEY_CHARS_MIN || text.len() > KEY_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message = format!("must have {FIXED_KEY_CHARS_MIN} to {KEY_BYTES_MAX} visible ASCII characters");
        return Err(ControlError::Invalid { field: "bootstrap.management_key".to_owned(), message });
    }
    if !control.store().key_hash_exists(&KeyHash::of(text).to_string()).await? {
        let key = ApiKey::new(secret, account_id, "configured management key", KeyKind::Management, KeyScope::Platform, act.at);
        control.create_key(act, key).await?;
    }
    Ok(())
}
